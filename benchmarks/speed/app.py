"""The app: from an answer in the browser to the new list."""

from __future__ import annotations

import statistics
import time

import numpy as np

from benchmarks.common.rows import Row, row
from benchmarks.speed.places import Place


def answers(place: Place) -> list[Row]:
    """What the page asks the server, all of it."""
    from starlette.testclient import TestClient

    from sktpecr.app import create_app

    name, rng = "speed app synthetic MovieLens-1M size", np.random.RandomState(0)
    world = place.world(users=6_040, items=3_706, tags=18)
    tags, lists, everything = list(world.tags), [], []
    with TestClient(create_app(world.explainer()), base_url="http://localhost") as client:
        for number in range(40 if place.full else 3):
            state = client.post("/api/conversations", json={"user": number}).json()
            path = f"/api/conversations/{state['id']}"
            for _ in range(5):
                kind, tag = rng.choice(["like", "dislike"]), tags[rng.randint(len(tags))]
                body = {"action": "say", "version": state["version"], kind: {tag: 1}}
                start = time.perf_counter()
                state = client.post(f"{path}/turns", json=body).json()
                lists.append(time.perf_counter() - start)
                item = state["list"][0]["item"]
                client.post(f"{path}/explain", json={"item": item}).raise_for_status()
                everything.append(time.perf_counter() - start)
    p95, p95_all = (float(np.percentile(each, 95)) for each in (lists, everything))
    return [
        row(name, "ms to the new list, median", 1e3 * statistics.median(lists)),
        row(name, "ms to the new list, 95th percentile", 1e3 * p95, holds=p95 < 0.1),
        row(name, "ms with questions and an explanation, 95th percentile", 1e3 * p95_all),
    ]
