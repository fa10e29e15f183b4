"""The page in a real browser: by mouse, by keyboard alone, on a phone, when things fail."""

import json
import shutil
import threading
import time
from pathlib import Path

import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import Conversation, TPECRExplainer
from sktpecr.app import create_app
from sktpecr.app._page_words import PAGE_ENGLISH
from sktpecr.app._server import _STATIC as STATIC
from sktpecr.datasets import make_tagged_interactions
from sktpecr.explanation._words import ENGLISH

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("there is no chromium on this machine", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra app is not installed")
fastapi = pytest.importorskip("fastapi", reason="the extra app is not installed")

DATA = make_tagged_interactions(n_users=40, n_items=60, n_tags=5, random_state=0)
EVIL = "<img src=x onerror=\"document.title='hacked'\">"
NAMES = [f"Item {number} {EVIL if number % 2 else ''}".strip() for number in range(60)]
EXPLAINER = TPECRExplainer(TruncatedSVD(6, random_state=0), DATA.item_tags).fit(
    DATA.interactions, user_ids=DATA.user_ids, item_names=NAMES
)
USER = DATA.user_ids[3]


class Server:
    """The app on a free port of this machine, in a thread."""

    def __init__(self, store, port=0, below="", explainer=EXPLAINER, words=None):
        app = create_app(explainer, store=store, words=words)
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
    settle(page)
    yield page
    assert not [url for url in page.elsewhere if not url.startswith(("data:", "blob:"))]
    page.close()


def begin(page, user=USER):
    page.fill("#find-user-input", user)
    page.wait_for_selector("#find-user-results li")
    page.press("#find-user-input", "Enter")
    page.wait_for_selector("#list li")
    settle(page)


def settle(page):
    page.wait_for_selector("body:not([aria-busy])")


def answer(page, button, amount="Clearly"):
    """Press a button of an answer, and one of the amounts that it then shows."""
    page.click(button)
    page.click(f"#amounts button:has(strong:text-is('{amount}'))")
    settle(page)


def answer_on_any(page, tag, word):
    """Answer on a tag that need not be one of the item looked at."""
    page.fill("#any-tag", tag)
    answer(page, f"#other-tag button[aria-label='{word} {tag}']")


def more(tag):
    return f"#bars button[aria-label='More {tag}']"


def names(page):
    return page.eval_on_selector_all("#list .title", "all => all.map((each) => each.textContent)")


def expected(conversation):
    return conversation.recommend(10)["name"].tolist()


def focused(page):
    return page.evaluate(
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    )


def tab_to(page, label, limit=80):
    """Press Tab until something has the focus, as somebody without a mouse does."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if (focused(page) or "").startswith(label):
            return
    raise AssertionError(f"Tab does not lead to {label!r}")


def own_tag(page):
    return page.locator("#bars tr.own th").first.text_content()


def test_a_whole_conversation(page):
    begin(page)
    conversation = Conversation(EXPLAINER, user=USER)
    assert names(page) == expected(conversation)
    item = conversation.recommend(1)["item"][0]
    assert page.text_content("#sentence") == conversation.explain(item).to_text()
    tag = own_tag(page)
    answer(page, more(tag), "A lot")
    conversation.like({tag: 1}, amount="a lot")
    assert names(page) == expected(conversation)
    answer_on_any(page, "tag_2", "Less")
    conversation.dislike({"tag_2": 1}, amount="more")
    assert names(page) == expected(conversation)
    page.click("#list li:nth-child(2) .tile")
    settle(page)
    rejected = conversation.recommend(2)["item"][1]
    assert page.text_content("#sentence") == conversation.explain(rejected).to_text()
    page.click("#reject")
    settle(page)
    conversation.reject(rejected)
    assert names(page) == expected(conversation)
    assert "Not in the list" in page.text_content("#place")
    with page.expect_download() as download:
        page.click("#download")
    saved = download.value.path()
    again = Conversation.from_json(Path(saved).read_text(), EXPLAINER)
    assert expected(again) == expected(conversation)
    page.click("#undo")
    settle(page)
    conversation.undo()
    assert names(page) == expected(conversation)
    page.click("#redo")
    settle(page)
    conversation.redo()
    assert names(page) == expected(conversation)
    page.press("#not_these", "Enter")
    settle(page)
    conversation.not_these()
    assert names(page) == expected(conversation)
    page.click("#reset")
    settle(page)
    assert names(page) == expected(Conversation(EXPLAINER, user=USER))
    page.click("#restore")
    settle(page)
    assert names(page) == expected(conversation)
    page.go_back()
    page.go_back()
    page.wait_for_selector("#start")
    page.set_input_files("#file", saved)
    page.wait_for_selector("#list li")
    settle(page)
    assert names(page) == expected(again)
    assert not page.problems
    assert page.title() == "Recommendations that listen"


def test_amounts_are_shown_beforehand_and_do_what_they_show(page):
    begin(page)
    tag = own_tag(page)
    page.click(more(tag))
    options = page.locator("#amounts .amount")
    for number, amount in enumerate(["a bit", "more", "a lot"]):
        turn = Conversation(EXPLAINER, user=USER).preview(like={tag: 1}, amount=amount)
        came = turn.items["name"][turn.items["change"] == "enters"].tolist()
        option = options.nth(number)
        shown = "brings in" if came else "changes nothing"
        playwright.expect(option.locator(".then")).to_contain_text(shown)
        for name in came[:2]:
            assert name in option.text_content()
    page.keyboard.press("Escape")
    assert focused(page) == f"More {tag}"
    assert not page.locator("#history button").count()


def test_an_answer_shows_what_is_new_what_left_and_moves_nothing_under_the_pointer(page):
    begin(page)
    tags = page.eval_on_selector_all("#bars th", "all => all.map((each) => each.textContent)")
    tag = own_tag(page)
    box = page.locator(more(tag)).bounding_box()
    answer(page, more(tag), "A lot")
    turn = Conversation(EXPLAINER, user=USER).like({tag: 1}, amount="a lot")
    new, left = (
        turn.items["name"][turn.items["change"] == change].tolist()
        for change in ("enters", "leaves")
    )
    assert new
    marked = page.locator("#list li:has(.badge.new) .title").all_text_contents()
    assert sorted(marked) == sorted(new)
    kept = turn.items[turn.items["change"] == "stays"]
    moved = kept["rank_before"].astype(int) - kept["rank"].astype(int)
    said = [f"up {n}" if n > 0 else f"down {-n}" for n in moved if abs(n) > 1]
    assert sorted(page.locator(".badge:not(.new)").all_text_contents()) == sorted(said)
    assert page.locator("#left button").all_text_contents() == left
    tagged = set(DATA.item_ids[DATA.item_tags[tag] > 0])
    before, after = (
        sum(item in tagged for item in turn.items["item"][turn.items["change"] != change])
        for change in ("enters", "leaves")
    )
    said = f"{tag}: {before} → {after} of 10. New in the list after “a lot more"
    assert page.text_content("#status").startswith(said)
    after = page.eval_on_selector_all("#bars th", "all => all.map((each) => each.textContent)")
    assert after == tags
    assert page.locator(more(tag)).bounding_box() == box
    page.click("#left button >> nth=0")
    settle(page)
    assert page.text_content("#why-title") == left[0]
    page.click("#undo")  # and what it changed back is shown likewise
    settle(page)
    marked = page.locator("#list li:has(.badge.new) .title").all_text_contents()
    assert sorted(marked) == sorted(left)
    assert sorted(page.locator("#left button").all_text_contents()) == sorted(new)


def test_turns_are_chips_that_can_each_be_removed_and_hidden_tags_shown_again(page):
    begin(page)
    second = own_tag(page)
    first = next(tag for tag in EXPLAINER.tag_names_ if tag not in page.text_content("#bars"))
    answer_on_any(page, first, "More")
    answer(page, more(second))
    listed = names(page)
    page.click(f"#bars button[aria-label^='Hide {second}: no longer give it as a reason']")
    settle(page)
    assert second not in page.text_content("#bars")
    assert names(page) == listed
    assert "The list stays as it is" in page.text_content("#status")
    page.click(f"#history button[aria-label='Take back: more {first}']")
    settle(page)
    alone = Conversation(EXPLAINER, user=USER)
    alone.like({second: 1}, amount="more")
    assert names(page) == expected(alone)
    page.click(f"#hidden button[aria-label='Show {second} again']")
    settle(page)
    assert not page.is_visible("#hidden-row")
    page.click("#list li:first-child .tile")
    settle(page)
    assert page.locator("#history button").count() == 1
    assert not page.problems


def test_why_not_gives_the_answer_that_brings_an_item_in(page):
    begin(page)
    ranked = Conversation(EXPLAINER, user=USER).recommend(30)
    place = 10
    for name in ranked["name"][10:]:
        place += 1
        page.fill("#find-other-input", name)
        page.wait_for_selector("#find-other-results [aria-selected=true]")
        page.press("#find-other-input", "Enter")
        page.wait_for_selector(f"#answer-not h3:text-is({json.dumps(name)})")
        settle(page)
        if "This answer would bring it in" in page.text_content("#answer-not"):
            break
    assert f"Place {place} of" in page.text_content("#answer-not")
    page.click("#answer-not .main >> nth=0")
    page.wait_for_selector("#answer-not p:has-text('It is in the list')")
    assert name in names(page)
    assert page.text_content("#why-title") == name
    assert page.evaluate("document.activeElement.id") == "find-other-input"
    page.click("#undo")  # and it follows
    page.wait_for_selector(f"#answer-not p:has-text('Place {place} of')")
    page.wait_for_selector("#answer-not:not([aria-busy])")
    words = page.locator("#answer-not .main >> nth=0").text_content()
    shown = page.locator("#answer-not .then >> nth=0").text_content()
    assert words.startswith("Say: ")
    assert name in shown
    assert "takes out" in shown


def test_an_empty_list_says_the_way_back(page):
    begin(page)
    for _ in range(12):
        page.press("#not_these", "Enter")
        settle(page)
        if not page.locator("#list button").count():
            break
    assert "Nothing is left to show" in page.text_content("#list")
    assert page.is_visible("#why")  # what was looked at stays
    page.click("#history button >> nth=0")
    settle(page)
    assert names(page) == expected(Conversation(EXPLAINER, user=USER))
    assert not page.problems


def test_what_moves_stands_still_for_who_asks_for_that(chromium, server):
    moving = {}
    for motion in ("reduce", "no-preference"):
        page = chromium.new_page(reduced_motion=motion)
        page.goto(server.url)
        begin(page)
        page.evaluate(
            "() => { Element.prototype.animate = ((animate) => function (...how) { window.moved ="
            " true; return animate.apply(this, how); })(Element.prototype.animate); }"
        )
        answer(page, more(own_tag(page)), "A lot")
        moving[motion] = page.evaluate("Boolean(window.moved)")
        page.close()
    assert moving == {"reduce": False, "no-preference": True}


def test_the_numbers_shown_add_up_to_the_score_shown(page):
    begin(page)
    answer(page, more(own_tag(page)), "A lot")
    page.click("#details summary")
    for row in range(10):
        page.click(f"#list li >> nth={row} >> .tile")
        settle(page)
        *parts, score = (
            round(100 * float(text.replace("\N{MINUS SIGN}", "-")))
            for text in page.locator("#bars .value").all_text_contents()
        )
        assert sum(parts) == score


def test_two_items_are_compared(page):
    begin(page)
    listed = Conversation(EXPLAINER, user=USER).recommend(2)
    page.select_option("#compare", label=listed["name"][1])
    page.wait_for_selector("#compared p")
    contrast = Conversation(EXPLAINER, user=USER).contrast(*listed["item"])
    assert page.text_content("#compared p") == contrast.to_text()
    parts = [
        float(text.replace("\N{MINUS SIGN}", "-"))
        for text in page.locator("#compared .value").all_text_contents()
    ]
    assert abs(sum(parts) - contrast.score) < 0.005 * (len(parts) + 1)


def test_the_keyboard_alone_and_the_focus_stays(page):
    assert not page.is_visible("#skip")  # there is no list to skip to
    tab_to(page, "tag_1")
    page.keyboard.press("Space")
    tab_to(page, "Show my list")
    page.keyboard.press("Enter")
    page.wait_for_selector("#list li")
    settle(page)
    conversation = Conversation(EXPLAINER, tags={"tag_1": 1})
    assert names(page) == expected(conversation)
    tag = own_tag(page)
    tab_to(page, f"More {tag}")
    page.keyboard.press("Enter")
    assert focused(page).startswith("Clearly")
    page.keyboard.press("ArrowDown")
    assert focused(page).startswith("A lot")
    page.keyboard.press("Enter")
    settle(page)
    assert focused(page) == f"More {tag}"
    conversation.like({tag: 1}, amount="a lot")
    assert names(page) == expected(conversation)
    page.keyboard.press("Tab")
    assert focused(page) == f"Less {tag}"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # past the end of the menu: on from where it was opened
    assert not page.is_visible("#menu")
    page.keyboard.press("Control+z")
    settle(page)
    assert names(page) == expected(Conversation(EXPLAINER, tags={"tag_1": 1}))
    page.keyboard.press("Shift+Tab")
    for _ in range(80):
        if focused(page) == "Skip":
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert focused(page) == "Skip"
    tab_to(page, "None of these interest me")
    page.keyboard.press("Enter")
    settle(page)
    assert focused(page) == "None of these interest me"
    tab_to(page, "Take back: not these 10")
    page.keyboard.press("Enter")
    settle(page)
    assert focused(page) is not None
    assert page.evaluate("document.activeElement !== document.body")
    assert not page.problems


def test_somebody_new_by_films_and_tags(page):
    page.fill("#find-film", "Item 12")
    page.wait_for_selector("#films button:has-text('Item 12')")
    page.click("#films button:has-text('Item 12') >> nth=0")
    page.click("#tastes button:text-is('tag_0')")
    assert "2 picked" in page.text_content("#picked")
    page.click("#begin")
    page.wait_for_selector("#list li")
    conversation = Conversation(EXPLAINER, interactions=[DATA.item_ids[12]])
    conversation.like(["tag_0"], amount="more")
    assert names(page) == expected(conversation)
    assert page.text_content("#listed-title") == "For you"


def test_nothing_picked_and_nobody_found_say_what_to_do(page):
    page.click("#begin")
    assert "Pick at least one first" in page.text_content("#picked")
    page.fill("#find-user-input", "nobody")
    page.wait_for_selector("#find-user-results .none")
    assert "Nothing found for “nobody”" in page.text_content("#find-user-results")


def test_back_goes_back_and_undoes_nothing(page):
    begin(page)
    tag = own_tag(page)
    answer(page, more(tag))
    listed = names(page)
    page.click("#list li:nth-child(3) .tile")
    settle(page)
    third = page.text_content("#why-title")
    page.reload()
    page.wait_for_selector("#list li")
    settle(page)
    assert page.text_content("#why-title") == third
    page.go_back()
    settle(page)
    page.wait_for_function(f"document.querySelector('#why-title').textContent !== {third!r}")
    assert names(page) == listed
    page.go_back()
    page.wait_for_selector("#people li")
    page.go_forward()
    page.wait_for_selector("#list li")
    settle(page)
    assert names(page) == listed
    assert page.locator("#history button").count() == 1


def test_a_shared_link_is_read_only_until_it_is_copied(page, chromium):
    begin(page)
    answer(page, more(own_tag(page)))
    page.click("#share")
    link = page.get_attribute("#status a", "href")
    other = chromium.new_page()
    other.goto(link)
    other.wait_for_selector("#list li")
    settle(other)
    assert names(other) == names(page)
    assert not other.locator("#bars button").count()
    assert not other.is_visible("#question")
    other.click("#list li:nth-child(2) .tile")
    settle(other)
    assert other.text_content("#why-title") == names(page)[1]
    assert "“You” is" in other.text_content("#speaks-to")
    other.click("#go_on")
    other.wait_for_selector("#bars button")
    settle(other)
    answer(other, more(own_tag(other)))
    assert other.locator("#history button").count() == 2
    assert page.locator("#history button").count() == 1
    other.close()


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
    tag = own_tag(page)
    other = chromium.new_page()
    other.goto(page.url)
    other.wait_for_selector("#list li")
    settle(other)
    answer(other, more(tag))
    answer(page, more(tag))
    assert "moved on in another window" in page.text_content("#error")
    assert names(page) == names(other)
    answer(page, more(tag))
    assert page.locator("#history button").count() == 2
    assert not page.is_visible("#failed")
    other.close()


def test_a_server_that_fails_is_tried_again(page, server, tmp_path):
    begin(page)
    tag = own_tag(page)
    answer(page, more(tag))
    before = names(page)
    server.stop()
    answer(page, more(tag))
    page.wait_for_selector("#failed")
    assert "cannot be reached" in page.text_content("#error")
    assert names(page) == before
    again = Server(tmp_path / "talks.sqlite", port=server.port)
    try:
        page.click("#retry")
        settle(page)
        assert not page.is_visible("#failed")
        assert page.locator("#history button").count() == 2
        page.reload()
        page.wait_for_selector("#list li")
        assert page.locator("#history button").count() == 2
    finally:
        again.stop()


def test_the_first_page_recovers(chromium, server):
    page = chromium.new_page()
    page.route("**/api/model", lambda route: route.abort())
    page.goto(server.url)
    page.wait_for_selector("#failed")
    assert "cannot be reached" in page.text_content("#error")
    page.unroute("**/api/model")
    page.click("#retry")
    page.wait_for_selector("#people li")
    assert not page.is_visible("#failed")
    page.goto(f"{server.url}#nobody")
    page.reload()
    page.wait_for_selector("#failed")
    assert "no such conversation" in page.text_content("#error")
    assert page.is_visible("#people li >> nth=0")
    begin(page)
    assert not page.is_visible("#failed")
    page.close()


def test_on_a_phone_the_reasons_are_a_sheet_and_no_word_is_broken(chromium, server):
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    page.goto(server.url)
    begin(page)
    assert not page.is_visible("#why-title")
    page.click("#list li:nth-child(2) .tile")
    page.wait_for_selector("body.sheet")
    settle(page)
    assert page.is_visible("#why-title")
    assert focused(page) == "Close"
    assert page.evaluate("document.querySelector('#listed').inert")
    page.keyboard.press("Escape")
    page.wait_for_selector("body:not(.sheet)")
    assert page.evaluate(
        "document.activeElement.closest('li') === document.getElementById('list').children[1]"
    )
    assert len(names(page)) == 10
    page.click("#list li:nth-child(2) .tile")
    page.wait_for_selector("body.sheet")
    settle(page)
    page.click("#bars .answer >> nth=0")
    page.click("#menu-close")
    assert not page.is_visible("#menu")
    answer(page, "#bars .answer >> nth=0", "A lot")  # its effect on the list is seen
    page.wait_for_selector("#why-title", state="hidden")
    assert page.is_visible("#status")
    assert page.evaluate("document.querySelector('#list li').getBoundingClientRect().top") < 400
    page.click("#undo")
    settle(page)
    left = page.eval_on_selector_all("#list li", "all => all.map((each) => each.offsetLeft)")
    assert len(set(left)) == 1
    breaks = page.evaluate(
        "[...document.querySelectorAll('*')].filter((each) => ['anywhere', 'break-word']"
        ".includes(getComputedStyle(each).overflowWrap) && each.id !== 'status').length"
    )
    assert breaks <= 2  # links and errors that nobody wrote
    page.close()


WORDS = {name: f"⟦{text}⟧" for name, text in {**ENGLISH, **PAGE_ENGLISH}.items()} | {
    "page_language": "de",
    "page_direction": "ltr",
    "page_names": "Uwe, Eva, Ida",
}


def test_all_that_the_page_says_is_the_servers(chromium, tmp_path):
    """Each text is within the brackets of a template, or is a name, a number or a tag."""
    server = Server(tmp_path / "talks.sqlite", words=WORDS)
    page = chromium.new_page()
    page.set_default_timeout(10_000)
    page.goto(server.url)
    settle(page)
    unsaid = """() => [...document.querySelectorAll('body *:not(script):not(noscript)')].flatMap(
        (each) => [...[...each.childNodes].filter((node) => node.nodeType === 3)
            .map((node) => node.data), each.getAttribute('aria-label'), each.getAttribute('title'),
            each.placeholder])
        .filter((text) => text && /[a-z]{2}/i.test(text) && !/⟦|⟧|^tag_|^Item|img/.test(text))"""
    names_only = {"Uwe", "Eva", "Ida"}
    assert set(page.evaluate(unsaid)) <= names_only
    begin(page)
    answer(page, "#bars .answer >> nth=0", "⟦Clearly⟧")
    page.click("#details summary")
    page.select_option("#compare", index=1)
    page.wait_for_selector("#compared p")
    page.fill("#find-other-input", "Item 5")
    page.wait_for_selector("#find-other-results [aria-selected=true]")
    page.press("#find-other-input", "Enter")
    page.wait_for_selector("#answer-not h3")
    settle(page)
    assert set(page.evaluate(unsaid)) <= {*names_only, USER}
    assert page.evaluate("document.documentElement.lang") == "de"
    assert page.title() == "⟦Recommendations that listen⟧"
    page.close()
    server.stop()


LONG = "ספר האהבה והחושך של העיר הגדולה שמעבר לים " * 3


def test_long_titles_and_those_written_from_the_right(chromium, tmp_path):
    names_ = [
        LONG if number % 2 else f"Donaudampfschifffahrt {number} " * 6 for number in range(60)
    ]
    explainer = TPECRExplainer(TruncatedSVD(6, random_state=0), DATA.item_tags).fit(
        DATA.interactions, user_ids=DATA.user_ids, item_names=names_
    )
    server = Server(tmp_path / "talks.sqlite", explainer=explainer)
    for width in (1200, 390):
        page = chromium.new_page(viewport={"width": width, "height": 800})
        page.goto(server.url)
        begin(page)
        ways = page.evaluate(
            "[...document.querySelectorAll('#list .title')].map((each) => "
            "[each.textContent.charCodeAt(0) > 1000, getComputedStyle(each).direction])"
        )
        assert {tuple(way) for way in ways} == {(True, "rtl"), (False, "ltr")}
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        heights = page.eval_on_selector_all("#list li", "all => all.map((e) => e.offsetHeight)")
        assert len(set(heights)) == 1
        page.close()
    server.stop()


def test_an_answer_shifts_no_layout_and_takes_one_round_trip(page):
    begin(page)
    page.evaluate("""() => {
        window.shifts = 0;
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries())
                if (!entry.hadRecentInput) window.shifts += entry.value;
        }).observe({ type: "layout-shift", buffered: false });
    }""")
    tag = own_tag(page)
    page.click(more(tag))
    page.wait_for_selector("#amounts .then span")
    asked = []
    page.on("request", lambda each: asked.append(each.url))
    page.click("#amounts .amount >> nth=2")
    settle(page)
    page.wait_for_timeout(600)
    assert len(asked) == 1
    assert page.evaluate("window.shifts") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_nothing(chromium, server, scheme, width):
    axe = pytest.importorskip("axe_core_python", reason="axe is not installed")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page = chromium.new_page(
        color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    )
    page.goto(server.url)
    settle(page)
    page.evaluate(source)

    def open_menu():
        if width < 900:
            page.click("#list li:first-child .tile")
            page.wait_for_selector("body.sheet")
            settle(page)
        page.click("#bars .answer >> nth=0")
        page.wait_for_selector("#amounts .then span")

    def give():
        page.click("#amounts .amount >> nth=1")
        settle(page)
        page.wait_for_timeout(100)

    for step in (lambda: None, lambda: begin(page), open_menu, give):
        step()
        found = page.evaluate("axe.run()")
        assert [
            (each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"])
            for each in found["violations"]
        ] == []
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0
    assert json.dumps(found["passes"])
    page.close()


def test_the_whole_page_is_small():
    assert sum(path.stat().st_size for path in STATIC.iterdir()) <= 100_000
