"""Time answers in the app, from the click to the painted list, on data of MovieLens-1M's size.

python tools/app_speed.py

Prints the size of the page, how far the layout shifted without anybody's doing, and percentiles of
the time from the click on an amount to the frame with the new list. Needs chromium and the extra
`test`.
"""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import uvicorn
from app_screenshots import begin, chromium, settled
from implicit.als import AlternatingLeastSquares
from playwright.sync_api import sync_playwright

from sktpecr import TPECRExplainer
from sktpecr.app import create_app
from sktpecr.datasets import make_tagged_interactions

_N_ANSWERS = 15
_OBSERVE = """() => {
    window.shifted = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
        if (!entry.hadRecentInput) window.shifted += entry.value;
    })).observe({ type: "layout-shift" });
}"""
# The task after the next frame begins when that frame is painted.
_ANSWER = """() => new Promise((done) => {
    const start = performance.now();
    new MutationObserver((_, observer) => {
        observer.disconnect();
        requestAnimationFrame(() => {
            const channel = new MessageChannel();
            channel.port1.onmessage = () => done(performance.now() - start);
            channel.port2.postMessage(null);
        });
    }).observe(document.getElementById("list"), { childList: true });
    document.querySelectorAll("#amounts .amount")[2].click();
})"""


def main() -> None:
    """Serve made-up data, answer, and print what was measured."""
    data = make_tagged_interactions(6040, 3706, 18, density=0.045, random_state=0)
    als = AlternatingLeastSquares(factors=64, iterations=5, random_state=0)
    als.fit(data.interactions, show_progress=False)
    explainer = TPECRExplainer(als, data.item_tags).fit(data.interactions, user_ids=data.user_ids)
    server = uvicorn.Server(uvicorn.Config(create_app(explainer), port=0, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    times, shifts, size = [], [], 0
    with sync_playwright() as play:
        browser = chromium(play)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        loaded: list[int] = []
        page.on("response", lambda each: loaded.append(int(each.headers["content-length"])))
        for person in range(3):
            page.goto(url)
            settled(page)
            size = size or sum(loaded)
            begin(page, person)
            page.evaluate(_OBSERVE)
            for number in range(_N_ANSWERS):
                page.click(f"#question-answers .answer >> nth={number % 2}")
                page.wait_for_selector("#amounts .then span")
                times.append(page.evaluate(_ANSWER))
                settled(page)
                page.wait_for_timeout(450)
            shifts.append(page.evaluate("window.shifted"))
        browser.close()
    server.should_exit = True
    middle, high = np.percentile(times, [50, 95])
    print(f"page, first load: {size / 1000:.1f} kB")
    print(f"layout shift: {max(shifts):.4f}")
    print(f"click to painted list: median {middle:.0f} ms, 95th percentile {high:.0f} ms")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
