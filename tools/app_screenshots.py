"""Draw the app for the manual: desktop, phone, dark. Needs chromium and the extra `test`.

python tools/app_screenshots.py docs/images/app
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from pathlib import Path

import uvicorn
from implicit.als import AlternatingLeastSquares
from playwright.sync_api import sync_playwright

from sktpecr import TPECRExplainer
from sktpecr.app import create_app
from sktpecr.datasets import load_movielens

_VIEWS = {
    "desktop": {"viewport": {"width": 1200, "height": 900}},
    "dark": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 1500}},
}


def main(folder: Path) -> None:
    """Serve the shipped films, talk a little in each view, and save what it looks like."""
    data = load_movielens()
    als = AlternatingLeastSquares(factors=64, random_state=0)
    als.fit(data.interactions, show_progress=False)
    explainer = TPECRExplainer(als, data.item_tags)
    explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)
    server = uvicorn.Server(uvicorn.Config(create_app(explainer), port=0, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, view in _VIEWS.items():
            page = browser.new_page(**view)
            page.goto(f"http://127.0.0.1:{port}/")
            page.fill("#user", "243")
            page.press("#user", "Enter")
            page.wait_for_selector("#list li")
            page.wait_for_selector("body:not([aria-busy])")
            page.click("#tags button[aria-label='Less Horror']")
            page.wait_for_selector("#turns li")
            page.wait_for_selector("body:not([aria-busy])")
            page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
            page.screenshot(path=folder / f"{name}.png")
        browser.close()
    server.should_exit = True


if __name__ == "__main__":
    main(Path(sys.argv[1]))
