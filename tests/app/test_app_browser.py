"""The page in a real browser: a whole conversation, two windows, bad input, a restarted server."""

import json
import shutil
import threading
import time
from pathlib import Path

import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import Conversation, TPECRExplainer
from sktpecr.app import create_app
from sktpecr.datasets import make_tagged_interactions

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("there is no chromium on this machine", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra app is not installed")
fastapi = pytest.importorskip("fastapi", reason="the extra app is not installed")

DATA = make_tagged_interactions(n_users=40, n_items=60, n_tags=5, random_state=0)
EVIL = "<img src=x onerror=\"document.title='hacked'\">"
NAMES = [f"Item {number} {EVIL if number % 2 else ''}" for number in range(60)]
EXPLAINER = TPECRExplainer(TruncatedSVD(6, random_state=0), DATA.item_tags).fit(
    DATA.interactions, user_ids=DATA.user_ids, item_names=NAMES
)
USER = DATA.user_ids[3]


class Server:
    """The app on a free port of this machine, in a thread."""

    def __init__(self, store, port=0, below=""):
        app = create_app(EXPLAINER, store=store)
        if below:
            outer = fastapi.FastAPI()
            outer.mount(below, app)
            app = outer
        config = uvicorn.Config(app, port=port, log_level="error", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        end = time.monotonic() + 20
        while not self._server.started and time.monotonic() < end:
            time.sleep(0.02)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}{below}/"

    def stop(self):
        self._server.should_exit = True
        self._thread.join(20)


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "talks.sqlite")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, server):
    page = chromium.new_page()
    page.set_default_timeout(10_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda request: page.problems.append(request.url))
    page.elsewhere = []
    page.on(
        "request",
        lambda each: None if each.url.startswith(server.url) else page.elsewhere.append(each.url),
    )
    page.goto(server.url)
    yield page
    assert not [url for url in page.elsewhere if not url.startswith(("data:", "blob:"))]
    page.close()


def begin(page, user=USER):
    page.fill("#user", user)
    page.press("#user", "Enter")
    page.wait_for_selector("#list li")
    settle(page)


def settle(page):
    page.wait_for_selector("body:not([aria-busy])")


def names(page):
    # The name stands before the words on how the item moved.
    return page.eval_on_selector_all(
        "#list .pick", "all => all.map((each) => each.firstChild.textContent)"
    )


def expected(conversation):
    return conversation.recommend(10)["name"].tolist()


def test_a_whole_conversation(page):
    begin(page)
    conversation = Conversation(EXPLAINER, user=USER)
    assert names(page) == expected(conversation)
    page.select_option("#amount", "a lot")
    page.click("button[aria-label='More tag_1'] >> nth=0")
    settle(page)
    conversation.like("tag_1", amount="a lot")
    assert names(page) == expected(conversation)
    page.click("#tags button[aria-label='Less tag_2']")
    settle(page)
    conversation.dislike("tag_2", amount="a lot")
    page.click("#list li:first-child button:has-text('Not this')")
    settle(page)
    conversation.reject(conversation.recommend(1)["item"][0])
    assert names(page) == expected(conversation)
    assert page.eval_on_selector_all("#turns li", "all => all.map((each) => each.textContent)") == [
        str(turn.said) for turn in conversation.history
    ]
    page.click("#undo")
    settle(page)
    page.click("#undo")
    settle(page)
    conversation.undo()
    conversation.undo()
    assert names(page) == expected(conversation)
    page.click("#redo")
    settle(page)
    conversation.redo()
    assert names(page) == expected(conversation)
    item = conversation.recommend(3)["item"][2]
    page.click("#list li:nth-child(3) .pick")
    settle(page)
    assert page.text_content("#sentence") == conversation.explain(item).to_text()
    assert page.text_content("#certificate") == str(conversation.explain(item).certificate)
    with page.expect_download() as download:
        page.click("#export")
    again = Conversation.from_json(Path(download.value.path()).read_text(), EXPLAINER)
    assert expected(again) == expected(conversation)
    page.click("#tags button[aria-label^='Hide tag_0']")
    settle(page)
    assert "tag_0" not in page.text_content("#tags")
    page.click("#reset")
    settle(page)
    assert names(page) == expected(Conversation(EXPLAINER, user=USER))
    assert not page.problems
    assert page.title() == "Recommendations that listen"


def test_somebody_new_by_keyboard_alone(page):
    page.focus("input[name=taste] >> nth=1")
    page.keyboard.press("Space")
    page.focus("#new button[type=submit]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#list li")
    settle(page)
    conversation = Conversation(EXPLAINER, tags={"tag_1": 1})
    assert names(page) == expected(conversation)
    page.focus("#tags button[aria-label='More tag_3']")
    page.keyboard.press("Enter")
    settle(page)
    conversation.like("tag_3")
    assert names(page) == expected(conversation)
    assert page.text_content("#status") == str(conversation.history[-1])
    page.focus("#not_these")
    page.keyboard.press("Enter")
    settle(page)
    conversation.not_these()
    assert names(page) == expected(conversation)
    assert not page.problems


def test_bad_input_says_what_to_do(page):
    page.fill("#user", "user_99")
    page.press("#user", "Enter")
    page.wait_for_selector("#error:not(:empty)")
    assert "unknown user 'user_99'; known are" in page.text_content("#error")
    begin(page)
    assert page.text_content("#error") == ""


def test_mounted_below_a_path(chromium, tmp_path):
    server = Server(tmp_path / "talks.sqlite", below="/recs")
    page = chromium.new_page()
    page.set_default_timeout(10_000)
    asked = []
    page.on("request", lambda each: asked.append(each.url))
    page.goto(server.url)
    begin(page)
    assert names(page) == expected(Conversation(EXPLAINER, user=USER))
    assert not [url for url in asked if not url.startswith(server.url)]
    page.close()
    server.stop()


def test_two_windows(page, chromium, server):
    begin(page)
    other = chromium.new_page()
    other.goto(page.url)
    other.wait_for_selector("#list li")
    settle(other)
    other.click("#tags button[aria-label='More tag_1']")
    settle(other)
    page.click("#tags button[aria-label='More tag_2']")
    settle(page)
    assert "moved on in another window" in page.text_content("#error")
    assert names(page) == names(other)
    page.click("#tags button[aria-label='More tag_2']")
    settle(page)
    assert page.locator("#turns li").count() == 2
    other.close()


def test_a_restarted_server(page, server, tmp_path):
    begin(page)
    page.click("#tags button[aria-label='More tag_1']")
    settle(page)
    before = names(page)
    server.stop()
    page.click("#tags button[aria-label='More tag_2']")
    settle(page)
    assert "cannot be reached" in page.text_content("#error")
    assert names(page) == before
    again = Server(tmp_path / "talks.sqlite", port=server.port)
    try:
        page.click("#tags button[aria-label='More tag_2']")
        settle(page)
        assert page.text_content("#error") == ""
        assert page.locator("#turns li").count() == 2
        page.reload()
        page.wait_for_selector("#list li")
        settle(page)
        assert page.locator("#turns li").count() == 2
    finally:
        again.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_axe_finds_nothing(chromium, server, scheme, width):
    axe = pytest.importorskip("axe_core_python", reason="axe is not installed")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page = chromium.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    page.goto(server.url)
    page.wait_for_selector("#tastes input")
    page.evaluate(source)
    for step in (lambda: None, lambda: begin(page)):
        step()
        found = page.evaluate("axe.run()")
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0
    assert json.dumps(found["passes"])
    page.close()
