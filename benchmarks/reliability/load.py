"""An app under load: how many users at the same time, how soon answered, how many errors."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time

import numpy as np

from benchmarks.common.rows import Row, row
from sktpecr import TPECRExplainer
from sktpecr.datasets import make_tagged_interactions


def served(port: multiprocessing.Queue) -> None:
    """Serve 1,000 users and 2,000 items, in a process of its own."""
    import uvicorn

    from sktpecr.app import create_app

    data = make_tagged_interactions(n_users=1000, n_items=2000, n_tags=20, random_state=0)
    factors = [np.random.RandomState(i).normal(size=(n, 32)) for i, n in enumerate((1000, 2000))]
    explainer = TPECRExplainer(tuple(factors), data.item_tags)
    explainer.fit(data.interactions, user_ids=data.user_ids)
    listening = socket.create_server(("127.0.0.1", 0))
    port.put(listening.getsockname()[1])
    config = uvicorn.Config(create_app(explainer), log_level="error")
    uvicorn.Server(config).run(sockets=[listening])


def app(quick: bool) -> list[Row]:
    """Have users talk to the app at the same time, over HTTP on this machine."""
    import httpx2

    data = make_tagged_interactions(n_users=1000, n_items=2000, n_tags=20, random_state=0)
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=served, args=(answer,), daemon=True)
    process.start()
    port = answer.get(timeout=60)
    seconds, n_users = (1.0, 8) if quick else (20.0, 32)
    taken: list[float] = []
    wrong: list[int] = []

    async def talk(number: int, client: httpx2.AsyncClient, end: float) -> None:
        async def ask(method: str, path: str, **said: object) -> dict:
            start = time.perf_counter()
            answer = await client.request(method, path, **({"json": said} if said else {}))
            taken.append(time.perf_counter() - start)
            if answer.status_code >= 300:
                wrong.append(answer.status_code)
            return answer.json() if answer.content else {}

        turn = 0
        while time.perf_counter() < end:
            user = data.user_ids[(number * 31 + turn * 7) % len(data.user_ids)]
            begun = await ask("POST", "/api/conversations", user=user)
            here = f"/api/conversations/{begun['id']}"
            tag = str(data.item_tags.columns[(number + turn) % 20])
            await ask(
                "POST", f"{here}/turns", action="say", like={tag: 1.0}, version=begun["version"]
            )
            await ask("GET", here)
            turn += 1

    async def everybody() -> None:
        limits = httpx2.Limits(max_connections=n_users)
        url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
            end = time.perf_counter() + seconds
            await asyncio.gather(*(talk(number, client, end) for number in range(n_users)))

    start = time.perf_counter()
    asyncio.run(everybody())
    lasted = time.perf_counter() - start
    process.terminate()
    process.join(10)
    name = "reliability app synthetic"
    return [
        row(name, "users at a time", n_users),
        row(name, "requests", len(taken)),
        row(name, "requests a second", len(taken) / lasted),
        row(name, "p50 ms", 1e3 * float(np.quantile(taken, 0.5))),
        row(name, "p99 ms", 1e3 * float(np.quantile(taken, 0.99))),
        row(name, "errors", len(wrong), holds=not wrong),
    ]
