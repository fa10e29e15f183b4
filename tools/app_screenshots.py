"""Draw every state of the app for the manual. Needs chromium, Pillow and the extra `test`.

python tools/app_screenshots.py docs/images/app
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from implicit.als import AlternatingLeastSquares
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from sktpecr import TPECRExplainer
from sktpecr.app import create_app
from sktpecr.datasets import load_movielens

_ROOT = Path(__file__).parents[1]
_DESKTOP = {"viewport": {"width": 1200, "height": 900}, "reduced_motion": "reduce"}
_PHONE = {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"}
_RTL = ["סיפור על אהבה וחושך (2015)", "مدينة تحت الشمس (1998)"]
_QUALITY = 84
_ASKED = "#question-answers .answer"
# The first that an answer brings in is shown.
_NOT_LISTED = (
    "Signs",
    "Men in Black II",
    "I, Robot",
    "Spider-Man 2",
    "Starship Troopers",
    "Total Recall",
)
_LONG = "Those Magnificent Men in Their Flying Machines or How I Flew from London to Paris (1965)"


def main(folder: Path) -> None:
    """Serve the shipped films, go through the page, and save what it looks like."""
    data = load_movielens()
    als = AlternatingLeastSquares(factors=64, random_state=0)
    als.fit(data.interactions, show_progress=False)
    explainer = TPECRExplainer(als, data.item_tags)
    named = {"user_ids": data.user_ids, "item_names": data.item_names}
    explainer.fit(data.interactions, **named)
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        browser = chromium(play)
        with _served(explainer) as url:
            _desktop(browser, url, folder)
            _dark(browser, url, folder)
            _phone(browser, url, folder)
        with _served(explainer, _german()) as url:
            page = _opened(browser, url, **_DESKTOP)
            begin(page)
            _answer(page, _ASKED, 2)
            _save(page, folder / "german.png")
        names = [*_RTL, _LONG] * len(data.item_names)
        explainer.fit(data.interactions, **named | {"item_names": names[: len(data.item_names)]})
        with _served(explainer) as url:
            for name, view in (("titles", _DESKTOP), ("titles-phone", _PHONE)):
                page = _opened(browser, url, **view)
                begin(page)
                _save(page, folder / f"{name}.png")
        browser.close()


def _desktop(browser: Browser, url: str, folder: Path) -> None:
    page = _opened(browser, url, **_DESKTOP)
    _save(page, folder / "start.png")
    page.click("#tastes button:has-text('Crime')")
    page.click("#films button >> nth=1")
    page.locator("#new-title").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#new-title').scrollIntoView()")
    _save(page, folder / "new.png")
    page.evaluate("scrollTo(0, 0)")
    begin(page)
    _save(page, folder / "list.png")
    page.click(f"{_ASKED} >> nth=0")
    page.wait_for_selector("#amounts .then span")
    _save(page, folder / "amounts.png")
    page.click("#amounts .amount >> nth=2")
    settled(page)
    _save(page, folder / "answered.png")
    page.click("#bars .answer >> nth=2")
    page.click("#bars .hide >> nth=0")
    settled(page)
    page.click("#dismiss")
    _save(page, folder / "history.png")
    page.select_option("#compare", index=2)
    page.wait_for_selector("#compared p")
    page.click("#details summary")
    page.evaluate("document.querySelector('#bars-title').scrollIntoView()")
    _save(page, folder / "compared.png")
    for title in _NOT_LISTED:
        page.fill("#find-other-input", title)
        page.wait_for_selector("#find-other-results [aria-selected=true]")
        page.press("#find-other-input", "Enter")
        page.wait_for_selector(f"#answer-not h3:has-text('{title}')")
        settled(page)
        if page.locator("#answer-not .main").count():
            break
    page.evaluate("document.querySelector('#why-not').scrollIntoView({ block: 'end' })")
    _save(page, folder / "why-not.png")
    page.evaluate("scrollTo(0, 0)")
    page.route("**/turns", lambda route: route.abort())
    _answer(page, "#bars .answer", 1)
    page.wait_for_selector("#failed:not([hidden])")
    _save(page, folder / "error.png")
    page.unroute("**/turns")
    page.click("#retry")
    settled(page)
    page.click("#share")
    page.wait_for_selector("#status a")
    shared = _opened(browser, page.get_attribute("#status a", "href") or "", **_DESKTOP)
    shared.wait_for_selector("#list li")
    _save(shared, folder / "shared.png")
    # What zoom does to the layout: the same window has half as many pixels of CSS.
    half = {"viewport": {"width": 600, "height": 450}, "device_scale_factor": 2}
    zoomed = _opened(browser, page.url, **half)
    zoomed.wait_for_selector("#list li")
    _save(zoomed, folder / "zoom-200.png")


def _dark(browser: Browser, url: str, folder: Path) -> None:
    page = _opened(browser, url, color_scheme="dark", **_DESKTOP)
    begin(page)
    _answer(page, _ASKED, 2)
    _save(page, folder / "dark.png")


def _phone(browser: Browser, url: str, folder: Path) -> None:
    page = _opened(browser, url, **_PHONE)
    _save(page, folder / "phone-start.png")
    begin(page)
    _save(page, folder / "phone.png")
    page.click("#list .tile >> nth=1")
    page.wait_for_selector("body.sheet")
    _save(page, folder / "sheet.png")
    page.click("#bars .answer >> nth=0")
    page.wait_for_selector("#amounts .then span")
    _save(page, folder / "phone-amounts.png")


def _german() -> Mapping[str, str]:
    sys.path.insert(0, str(_ROOT))
    from tests.explanation.test_words import GERMAN

    page = json.loads((_ROOT / "tests/app/german.json").read_text(encoding="utf-8"))
    return {**GERMAN, **page}


@contextmanager
def _served(explainer: TPECRExplainer, words: Mapping[str, str] | None = None) -> Iterator[str]:
    app = create_app(explainer, words=words)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


def _opened(browser: Browser, url: str, **view: Any) -> Page:
    page = browser.new_page(**view)
    page.goto(url)
    settled(page)
    return page


def chromium(play: Playwright) -> Browser:
    """Start the browser of this machine."""
    return play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])


def settled(page: Page) -> None:
    """Wait until nothing is asked of the server."""
    page.wait_for_selector("body:not([aria-busy])")
    page.wait_for_timeout(100)


def begin(page: Page, person: int = 2) -> None:
    """Begin with an example person."""
    page.click(f"#people li >> nth={person} >> button")
    page.wait_for_selector("#list li")
    settled(page)


def _answer(page: Page, buttons: str, amount: int) -> None:
    page.click(f"{buttons} >> nth=0")
    page.click(f"#amounts .amount >> nth={amount}")
    settled(page)


def _save(page: Page, path: Path) -> None:
    page.wait_for_timeout(300)
    page.screenshot(path=path)
    with Image.open(path) as drawn:
        drawn.save(path.with_suffix(".webp"), quality=_QUALITY, method=6)
    path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
