"""What the page asks of the server: previews, why not, comparisons, copies, words."""

import json
import re
import uuid
from pathlib import Path

import pytest
from sklearn.decomposition import TruncatedSVD

pytest.importorskip("fastapi", reason="the extra app is not installed")
pytest.importorskip("httpx2", reason="the test client needs httpx2")

from fastapi.testclient import TestClient

from sktpecr import Conversation, TPECRExplainer
from sktpecr.app import create_app
from sktpecr.app._page_words import PAGE_ENGLISH
from sktpecr.datasets import make_tagged_interactions

DATA = make_tagged_interactions(n_users=60, n_items=120, n_tags=6, random_state=0)
NAMES = [f"Title {number:03}, The ({1900 + number})" for number in range(120)]
EXPLAINER = TPECRExplainer(TruncatedSVD(6, random_state=0), DATA.item_tags).fit(
    DATA.interactions, user_ids=DATA.user_ids, item_names=NAMES
)
USER = DATA.user_ids[3]


@pytest.fixture(scope="module")
def client():
    with TestClient(create_app(EXPLAINER), base_url="http://localhost") as client:
        yield client


def post(client, path, **body):
    answer = client.post(f"/api/conversations{path}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def speak(client, state, action, **said):
    return post(client, f"/{state['id']}/turns", action=action, version=state["version"], **said)


def test_titles_are_as_spoken_and_years_stand_apart(client):
    row = post(client, "", user=USER)["list"][0]
    number = DATA.item_ids.tolist().index(row["item"])
    assert row["title"] == f"The Title {number:03}"
    assert row["year"] == str(1900 + number)


def test_examples_are_users_with_different_tastes(client):
    model = client.get("/api/model").json()
    assert [person["name"] for person in model["people"]] == ["Ana", "Ben", "Cleo"]
    assert len({person["taste"][0] for person in model["people"]}) == 3
    for person in model["people"]:
        state = post(client, "", user=person["user"])
        assert state["name"] == person["name"]
        assert [row["title"] for row in state["list"]][: len(person["next"])] == person["next"]
        seen = DATA.interactions[DATA.user_ids.tolist().index(person["user"])].indices
        titles = {f"The Title {number:03}" for number in seen}
        assert set(person["took"]) <= titles
    counts = (DATA.item_tags > 0).sum().loc[model["tags"]].tolist()
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(
    ("kind", "text", "first"),
    [("item", "the TITLE 05", "The Title 05"), ("user", USER, USER), ("item", "zzz", None)],
)
def test_search_finds_what_begins_with_a_text_before_what_holds_it(client, kind, text, first):
    found = client.get("/api/search", params={"kind": kind, "q": text}).json()
    assert len(found) <= 8
    if first is None:
        assert found == []
    else:
        assert all(each["name"].removeprefix("user ").startswith(first) for each in found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the good the bad", "The Good, the Bad and the Ugly"),
        ("ugly BAD good", "The Good, the Bad and the Ugly"),
        ("amelie", "Amélie"),
        ("Amélie!", "Amélie"),
        ("schindlers list", "Schindler's List"),
        ("schindler\u2019s", "Schindler's List"),
        ("spiderman", "Spider-Man"),
        ("spider man", "Spider-Man"),
        ("??", "???"),
        ("good ugly bad fair", None),
    ],
)
def test_search_minds_neither_signs_nor_accents_nor_the_order_of_words(titled, text, found):
    answer = titled.get("/api/search", params={"kind": "item", "q": text})
    assert [each["name"] for each in answer.json()] == ([found] if found else [])


@pytest.fixture(scope="module")
def titled():
    titles = ["Good, the Bad and the Ugly, The", "Amélie", "Schindler's List", "Spider-Man", "???"]
    names = [*titles, *NAMES][: len(NAMES)]
    with TestClient(create_app(fitted(names=names)), base_url="http://localhost") as client:
        yield client


def test_amounts_show_what_the_answers_then_do(client):
    state = post(client, "", user=USER)
    for kind in ("like", "dislike"):
        shown = post(client, f"/{state['id']}/amounts", **{kind: {"tag_1": 1}})
        assert [each["amount"] for each in shown] == ["a bit", "more", "a lot"]
        for each in shown:
            after = speak(client, state, "say", **{kind: {"tag_1": 1}}, amount=each["amount"])
            for change, titles in (("enters", each["came"]), ("leaves", each["left"])):
                rows = [row for row in after["last"]["items"] if row["change"] == change]
                assert [row["title"] for row in rows] == titles
            state = speak(client, after, "undo")


def test_the_answer_offered_for_an_item_brings_it_in(client):
    offered = 0
    state = post(client, "", user=USER)
    ranked = Conversation(EXPLAINER, user=USER).recommend(80)["item"].tolist()
    for item in ranked[10:80:7]:
        told = post(client, f"/{state['id']}/why_not", item=item)
        assert told["item"]["rank"] == ranked.index(item) + 1
        assert told["other"] == state["list"][-1]["title"]
        for answer in told["answers"]:
            said = {
                kind: dict.fromkeys(answer[kind], 1) for kind in ("like", "dislike") if answer[kind]
            }
            after = speak(client, state, "say", **said, amount=answer["amount"])
            ranks = [row["rank"] for row in after["list"] if row["item"] == item]
            assert ranks == ([answer["rank"]] if answer["rank"] <= 10 else [])
            assert after["last"]["words"] == answer["words"]
            for change, titles in (("enters", answer["came"]), ("leaves", answer["left"])):
                rows = [row for row in after["last"]["items"] if row["change"] == change]
                assert [row["title"] for row in rows] == titles
            offered += answer["rank"] <= 10
            state = speak(client, after, "undo")
    assert offered >= 5


def test_why_not_an_item_that_is_listed_seen_or_rejected(client):
    state = post(client, "", user=USER)
    first, second = (row["item"] for row in state["list"][:2])
    told = post(client, f"/{state['id']}/why_not", item=first)
    assert (told["item"]["rank"], told["answers"], told["other"]) == (1, [], None)
    state = speak(client, state, "reject", item=second)
    assert post(client, f"/{state['id']}/why_not", item=second)["is_rejected"]
    seen = DATA.item_ids[DATA.interactions[3].indices[0]]
    told = post(client, f"/{state['id']}/why_not", item=seen)
    assert told["is_seen"]
    assert not told["is_rejected"]


def test_bars_and_comparisons_add_up_with_what_was_asked_for(client):
    state = speak(client, post(client, "", user=USER), "say", like={"tag_1": 1}, amount="a lot")
    one, other = (
        post(client, f"/{state['id']}/explain", item=row["item"])
        for row in (state["list"][0], state["list"][-1])
    )
    for told in (one, other):
        parts = told["base_value"] + told["residual"]
        parts += sum(row["contribution"] for row in told["tags"])
        assert parts == pytest.approx(told["score"], abs=1e-5)
    pair = {"item": one["item"], "other": other["item"]}
    told = post(client, f"/{state['id']}/compare", **pair)
    worth = [each["score"] + each["asked"] for each in (one, other)]
    assert told["difference"] == pytest.approx(worth[0] - worth[1], abs=1e-5)
    assert told["difference"] > 0
    parts = told["base_value"] + told["residual"] + told["asked"]
    parts += sum(row["contribution"] for row in told["tags"])
    assert parts == pytest.approx(told["difference"], abs=1e-5)


def test_any_turn_can_be_taken_back_and_said_again(client):
    state = post(client, "", user=USER)
    for tag in ("tag_0", "tag_1", "tag_2"):
        state = speak(client, state, "say", like={tag: 1}, amount="more")
    state = speak(client, state, "hide", tag="tag_3")
    state = speak(client, state, "remove", at=0)
    rest = Conversation(EXPLAINER, user=USER)
    rest.like({"tag_1": 1}, amount="more")
    rest.like({"tag_2": 1}, amount="more")
    assert [row["item"] for row in state["list"]] == rest.recommend(10)["item"].tolist()
    state = speak(client, state, "redo")
    assert [turn["words"] for turn in state["turns"]][-1] == "more tag_0"
    state = speak(client, state, "remove", at=2)  # shows the hidden tag again
    assert [turn["hides"] for turn in state["turns"]] == [None] * 3
    answer = client.post(
        f"/api/conversations/{state['id']}/turns",
        json={"action": "remove", "version": state["version"], "at": 3},
    )
    assert answer.status_code == 400
    assert "at must be one of 3 turns" in answer.json()["error"]


def test_somebody_new_by_items_and_tags(client):
    items = [DATA.item_ids[number] for number in (4, 9, 20)]
    state = post(client, "", items=items, tags={"tag_2": 1})
    conversation = Conversation(EXPLAINER, interactions=items)
    conversation.like(["tag_2"], amount="a lot")
    assert [row["item"] for row in state["list"]] == conversation.recommend(10)["item"].tolist()
    assert state["user"] is None
    assert state["name"] == "you"


def test_a_shared_copy_can_be_looked_at_and_no_more(client):
    state = speak(client, post(client, "", user=USER), "say", like={"tag_1": 1}, amount="more")
    shared = post(client, f"/{state['id']}/share")["id"]
    state = speak(client, state, "say", like={"tag_2": 1}, amount="a lot")
    seen = client.get(f"/api/conversations/{shared}").json()
    assert seen["read_only"]
    assert len(seen["turns"]) == 1
    assert post(client, f"/{shared}/explain", item=seen["list"][0]["item"])["text"]
    refused = client.post(
        f"/api/conversations/{shared}/turns", json={"action": "undo", "version": seen["version"]}
    )
    assert refused.status_code == 403
    assert client.get(f"/api/conversations/{shared}").json() == seen
    own = post(client, "", document=client.get(f"/api/conversations/{shared}/export").json())
    assert not own["read_only"]
    assert own["list"] == seen["list"]


def test_a_document_that_is_no_conversation_is_refused(client):
    answer = client.post("/api/conversations", json={"document": {"format": "other"}})
    assert answer.status_code == 400
    assert "sktpecr.Conversation" in answer.json()["error"]


def fitted(**changed):
    tags = DATA.item_tags.copy()
    tags.index = changed.get("items", tags.index)
    tags.columns = changed.get("tags", tags.columns)
    explainer = TPECRExplainer(TruncatedSVD(6, random_state=0), tags)
    users, names = changed.get("users", DATA.user_ids), changed.get("names")
    return explainer.fit(DATA.interactions, user_ids=users, item_names=names)


def test_ids_beyond_what_javascript_counts_and_tags_that_are_numbers():
    explainer = fitted(items=[2**53 + 1 + n for n in range(120)], tags=range(28, 34))
    with TestClient(create_app(explainer), base_url="http://localhost") as client:
        state = post(client, "", user=USER)
        rounded = json.loads(json.dumps(state), parse_int=lambda text: int(float(text)))
        for row in rounded["list"]:
            told = post(client, f"/{state['id']}/explain", item=row["item"])
            assert told["name"] == row["name"]
        state = speak(client, state, "say", like={"28": 1}, amount="more")
        assert state["turns"][0]["words"] == "more 28"
        state = speak(client, state, "hide", tag="29")
        assert state["turns"][1]["hides"] == "29"


def test_a_turn_names_the_state_that_it_answers_by_version_or_by_number(client):
    state = post(client, "", user=USER)
    path = f"/api/conversations/{state['id']}/turns"
    say = {"action": "say", "like": {"tag_1": 1}}
    assert client.post(path, json=say).status_code == 400
    assert client.post(path, json=say | {"turn": 0}).status_code == 200
    stale = client.post(path, json=say | {"turn": 0})
    assert stale.status_code == 409
    assert stale.json()["state"]["turn"] == 1
    assert client.post(path, json=say | {"turn": 1}).status_code == 200


def test_words_are_the_servers_and_wrong_ones_are_refused_at_the_start():
    words = {"page_more": "Mehr", "said_more": "mehr {tag}", "page_names": "Uwe, Eva"}
    with TestClient(create_app(EXPLAINER, words=words), base_url="http://localhost") as client:
        assert client.get("/api/model").json()["words"]["page_more"] == "Mehr"
        state = speak(client, post(client, "", user=USER), "say", like={"tag_1": 1})
        assert state["turns"][0]["words"] == "mehr tag_1"
    for wrong, message in (
        ({"page_mroe": "x"}, "page_mroe"),
        ({"for": "Weil {tag}"}, "may hold"),
        ({"page_more": 3}, "must be templates"),
        ({"page_up": "{m} hoch"}, "page_up"),
    ):
        with pytest.raises(ValueError, match=message):
            create_app(EXPLAINER, words=wrong)


def test_the_german_page_has_every_string_and_what_it_fills_in():
    german = json.loads(Path(__file__).with_name("german.json").read_text(encoding="utf-8"))
    assert german.keys() == PAGE_ENGLISH.keys()
    for name, text in german.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", PAGE_ENGLISH[name]))
    with TestClient(create_app(EXPLAINER, words=german), base_url="http://localhost") as client:
        page = client.get("/").text
        assert '<html lang="de" dir="ltr">' in page
        assert german["page_lead"] in page


def test_uuids_are_ids():
    users = [uuid.UUID(int=number) for number in range(60)]
    with TestClient(create_app(fitted(users=users)), base_url="http://localhost") as client:
        assert client.get("/api/model").json()["people"][0]["user"] in map(str, users)


def test_of_somebody_without_history_why_not_tells_the_place_alone():
    interactions = DATA.interactions.tolil(copy=True)
    interactions[0] = 0
    explainer = TPECRExplainer(TruncatedSVD(6, random_state=0), DATA.item_tags)
    explainer.fit(interactions.tocsr())
    with TestClient(create_app(explainer), base_url="http://localhost") as client:
        state = post(client, "", user=0)
        listed = {row["item"] for row in state["list"]}
        item = next(item for item in DATA.item_ids if item not in listed)
        told = post(client, f"/{state['id']}/why_not", item=item)
    assert told["text"] is None
    assert told["item"]["rank"] > 10
    assert all(answer["rank"] < told["item"]["rank"] for answer in told["answers"])
