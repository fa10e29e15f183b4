"""An app under load: how many users at a time, how soon answered, errors, and memory."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from pathlib import Path

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
    # Conversations come and go: what they leave behind is to be seen.
    config = uvicorn.Config(create_app(explainer, max_conversations=1000), log_level="error")
    uvicorn.Server(config).run(sockets=[listening])


def memory(pid: int) -> float:
    """Return the MB that a process holds, NaN where the system does not say."""
    try:
        said = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return float("nan")
    return int(said.split("VmRSS:")[1].split()[0]) / 1024


def app(quick: bool, n_requests: int = 20_000, n_turns: int = 1_000) -> list[Row]:
    """Have users talk to the app at the same time, over HTTP on this machine."""
    import httpx2

    data = make_tagged_interactions(n_users=1000, n_items=2000, n_tags=20, random_state=0)
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=served, args=(answer,), daemon=True)
    process.start()
    port = answer.get(timeout=60)
    n_users = 8 if quick else 32
    n_requests, n_turns = (200, 20) if quick else (n_requests, n_turns)
    held = [memory(process.pid)]
    taken: list[float] = []
    wrong: list[int] = []

    async def talk(number: int, client: httpx2.AsyncClient) -> None:
        async def ask(method: str, path: str, **said: object) -> dict:
            start = time.perf_counter()
            answer = await client.request(method, path, **({"json": said} if said else {}))
            taken.append(time.perf_counter() - start)
            if answer.status_code >= 300:
                wrong.append(answer.status_code)
            return answer.json() if answer.content else {}

        turn = 0
        while len(taken) < n_requests:
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
            await asyncio.gather(*(talk(number, client) for number in range(n_users)))

    start = time.perf_counter()
    asyncio.run(everybody())
    lasted = time.perf_counter() - start
    held.append(memory(process.pid))
    turns: list[float] = []
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        for number in range(4):  # of 250 turns each: a conversation has at most 300
            state = client.post("/api/conversations", json={"user": data.user_ids[number]}).json()
            for turn in range(n_turns // 4):
                tag = str(data.item_tags.columns[turn * 7 % 20])
                said = {"action": "say", "like": {tag: 0.3}, "version": state["version"]}
                begun = time.perf_counter()
                answer = client.post(f"/api/conversations/{state['id']}/turns", json=said)
                turns.append(time.perf_counter() - begun)
                wrong += [answer.status_code] * (answer.status_code >= 300)
                state = answer.json()
    held.append(memory(process.pid))
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
        row(name, "memory MB at first", held[0]),
        row(name, "memory MB after the requests", held[1]),
        row(
            name,
            f"p99 ms of {len(turns)} turns in four conversations",
            1e3 * float(np.quantile(turns, 0.99)),
        ),
        row(name, f"memory MB after {len(turns)} turns in four conversations", held[2]),
    ]
