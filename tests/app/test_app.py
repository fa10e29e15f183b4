"""The server of the app: what it answers, what it refuses, and that nothing is lost."""

import json
import re
import socket
import sqlite3
import threading
from urllib.parse import urljoin

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

pytest.importorskip("fastapi", reason="the extra app is not installed")
pytest.importorskip("httpx2", reason="the test client needs httpx2")

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from sktpecr import Conversation, TPECRExplainer
from sktpecr.app import create_app
from sktpecr.app._server import _STATIC
from sktpecr.datasets import make_tagged_interactions

DATA = make_tagged_interactions(n_users=40, n_items=60, n_tags=5, random_state=0)
NAMES = [f"<b>Item {number}</b>" for number in range(60)]
EXPLAINER = TPECRExplainer(TruncatedSVD(6, random_state=0), DATA.item_tags).fit(
    DATA.interactions, user_ids=DATA.user_ids, item_names=NAMES
)
USER = DATA.user_ids[3]


@pytest.fixture
def client():
    with TestClient(create_app(EXPLAINER), base_url="http://localhost") as client:
        yield client


def begin(client, **who):
    answer = client.post("/api/conversations", json=who or {"user": USER})
    assert answer.status_code == 201, answer.text
    return answer.json()


def speak(client, state, action, **said):
    body = {"action": action, "version": state["version"], **said}
    return client.post(f"/api/conversations/{state['id']}/turns", json=body)


def test_a_conversation_is_what_the_class_says(client):
    state = begin(client)
    conversation = Conversation(EXPLAINER, user=USER)
    said = [
        ("say", {"like": {"tag_1": 2.0}}),
        ("say", {"dislike": {"tag_2": 1.0}}),
        ("reject", {"item": state["list"][0]["item"]}),
        ("undo", {}),
        ("redo", {}),
        ("hide", {"tag": "tag_4"}),
    ]
    for action, body in said:
        answer = speak(client, state, action, **body)
        assert answer.status_code == 200, answer.text
        state = answer.json()
    conversation.like({"tag_1": 2.0})
    conversation.dislike({"tag_2": 1.0})
    conversation.reject(Conversation(EXPLAINER, user=USER).recommend(1)["item"][0])
    conversation.hide("tag_4")
    listed = conversation.recommend(10)
    assert [row["item"] for row in state["list"]] == listed["item"].tolist()
    assert [row["rank_first"] for row in state["list"]] == listed["rank_first"].tolist()
    assert [turn["words"] for turn in state["turns"]] == [
        turn.said.to_text(names={item: name_of(item) for item in turn.said.items})
        for turn in conversation.history
    ]
    assert [turn["hides"] for turn in state["turns"]][-1] == "tag_4"
    assert "tag_4" not in json.dumps([state["list"], state["look"], state["questions"]])
    item = state["list"][0]["item"]
    found = client.post(f"/api/conversations/{state['id']}/explain", json={"item": item}).json()
    explanation = conversation.explain(item)
    assert found["text"] == explanation.to_text()
    contributions = [row["contribution"] for row in found["tags"]]
    np.testing.assert_allclose(
        found["base_value"] + sum(contributions) + found["residual"], found["score"], atol=1e-6
    )
    exported = client.get(f"/api/conversations/{state['id']}/export").json()
    again = Conversation.from_json(json.dumps(exported), EXPLAINER)
    np.testing.assert_array_equal(again.refinement.embedding, conversation.refinement.embedding)


def name_of(item):
    return NAMES[list(DATA.item_ids).index(item)]


def test_moves_are_those_of_the_last_turn(client):
    state = begin(client)
    before = {row["item"]: row["rank"] for row in state["list"]}
    state = speak(client, state, "say", like={"tag_1": 4.0}).json()
    for row in state["list"]:
        assert row["rank_before"] == before.get(row["item"], row["rank_before"])
        assert (row["rank_before"] > 10) == (row["item"] not in before)


def test_somebody_new_begins_with_tags(client):
    state = begin(client, tags={"tag_0": 2})
    assert state["turn"] == 0
    assert len(state["list"]) == 10
    assert begin(client, tags={})["list"]


def test_numbers_that_were_typed_are_ids():
    explainer = TPECRExplainer(TruncatedSVD(6, random_state=0), DATA.item_tags)
    explainer.fit(DATA.interactions)
    with TestClient(create_app(explainer), base_url="http://localhost") as client:
        assert begin(client, user="7")["user"] == begin(client, user=7)["user"] == "7"


def test_a_preview_changes_nothing(client):
    state = begin(client)
    path = f"/api/conversations/{state['id']}"
    shown = client.post(f"{path}/preview", json={"like": {"tag_1": 2}}).json()
    assert client.get(path).json() == state
    assert speak(client, state, "say", like={"tag_1": 2}).json()["last"] == shown


def test_the_question_is_one_that_was_not_answered(client):
    state, conversation = begin(client), Conversation(EXPLAINER, user=USER)
    for _ in range(5):
        assert state["questions"] == conversation.suggest_question(5)["tag"].tolist()
        conversation.like({state["questions"][0]: 0.5})
        state = speak(client, state, "say", like={state["questions"][0]: 0.5}).json()
    assert state["questions"] == []


def test_a_restarted_server_goes_on_where_it_was(tmp_path):
    path = tmp_path / "talks.sqlite"
    with TestClient(create_app(EXPLAINER, store=path), base_url="http://localhost") as client:
        state = speak(client, begin(client), "say", like={"tag_1": 2.0}).json()
        state = speak(client, state, "say", dislike={"tag_0": 1.0}).json()
        state = speak(client, state, "undo").json()
    with TestClient(create_app(EXPLAINER, store=path), base_url="http://localhost") as client:
        assert client.get(f"/api/conversations/{state['id']}").json() == state
        redone = speak(client, state, "redo")
        assert redone.json()["turn"] == 2


def test_a_server_with_another_model_says_what_it_does_not_know(tmp_path):
    path = tmp_path / "talks.sqlite"
    with TestClient(create_app(EXPLAINER, store=path), base_url="http://localhost") as client:
        state = speak(client, begin(client), "say", like={"tag_1": 2.0, "tag_3": 1.0}).json()
    fewer = TPECRExplainer(
        TruncatedSVD(6, random_state=0), DATA.item_tags.drop(columns="tag_3")
    ).fit(DATA.interactions, user_ids=DATA.user_ids)
    with TestClient(create_app(fewer, store=path), base_url="http://localhost") as client:
        now = client.get(f"/api/conversations/{state['id']}").json()
    assert any("tag_3" in words for words in now["left_out"])


def test_two_windows_do_not_talk_across_each_other(client):
    state = begin(client)
    first = speak(client, state, "say", like={"tag_1": 2.0})
    second = speak(client, state, "say", like={"tag_2": 2.0})
    assert second.status_code == 409
    assert second.json()["state"] == first.json()
    assert client.get(f"/api/conversations/{state['id']}").json() == first.json()


def test_who_keeps_no_version_says_how_many_turns_there_were(client):
    path = f"/api/conversations/{begin(client)['id']}/turns"
    said = {"action": "say", "like": {"tag_1": 2.0}}
    assert client.post(path, json=said).json() == {
        "error": "version is missing: that of the state that is answered"
    }
    assert client.post(path, json=said | {"turn": 0}).json()["turn"] == 1
    assert client.post(path, json=said | {"turn": 0}).status_code == 409


def test_a_stale_window_is_noticed_by_what_was_said_not_by_how_often(client):
    begun = begin(client)
    seen = speak(client, begun, "say", like={"tag_1": 2.0}).json()
    # In another window: back, and another answer. That is as many turns.
    undone = speak(client, seen, "undo").json()
    now = speak(client, undone, "say", like={"tag_2": 2.0}).json()
    assert now["turn"] == seen["turn"] == 1
    assert len({each["version"] for each in (begun, seen, undone, now)}) == 4
    late = speak(client, seen, "undo")
    assert late.status_code == 409
    assert late.json()["state"] == now
    # Back where it was is where it was.
    there = speak(client, speak(client, now, "undo").json(), "redo").json()
    assert there["version"] == now["version"]


def test_what_a_new_model_refuses_stays_as_it_was_said(tmp_path):
    path = tmp_path / "talks.sqlite"
    with TestClient(create_app(EXPLAINER, store=path), base_url="http://localhost") as client:
        state = begin(client)
        for tag in ("tag_3", "tag_1"):
            state = speak(client, state, "say", like={tag: 2.0}).json()
        state = speak(client, state, "reject", item=state["list"][0]["item"]).json()
    kept = [name for name in DATA.item_tags.columns if name != "tag_3"]
    fewer = TPECRExplainer(TruncatedSVD(6, random_state=0), DATA.item_tags[kept])
    fewer.fit(DATA.interactions, user_ids=DATA.user_ids, item_names=NAMES)
    with TestClient(create_app(fewer, store=path), base_url="http://localhost") as client:
        now = client.get(f"/api/conversations/{state['id']}").json()
        assert [turn["words"] for turn in now["turns"]] == [
            turn["words"] for turn in state["turns"]
        ]
        assert now["left_out"] == ["tag 'tag_3' in turn 1"]
        now = speak(client, now, "say", like={"tag_2": 1.0}).json()  # it goes on
        assert speak(client, now, "undo").status_code == 200
    with TestClient(create_app(EXPLAINER, store=path), base_url="http://localhost") as client:
        again = client.get(f"/api/conversations/{state['id']}").json()
    assert again["list"] == state["list"]


def test_in_memory_as_on_disk_conversations_expire_and_other_servers_speak(tmp_path):
    path = tmp_path / "talks.sqlite"
    with (
        TestClient(create_app(EXPLAINER, store=path), base_url="http://localhost") as client,
        TestClient(create_app(EXPLAINER, store=path), base_url="http://localhost") as other,
    ):
        state = begin(client)
        now = speak(other, state, "say", like={"tag_1": 1.0}).json()
        assert client.get(f"/api/conversations/{state['id']}").json() == now
        assert speak(client, state, "say", like={"tag_2": 1.0}).status_code == 409
        client.app.state.talks.store.max_age = -1.0
        assert client.get(f"/api/conversations/{state['id']}").status_code == 404
        assert not client.app.state.talks._recent


def test_memory_has_a_cap(client, monkeypatch):
    ids = [begin(client)["id"] for _ in range(6)]
    talks = client.app.state.talks
    held = [conversation.nbytes for _, conversation in talks._recent.values()]
    assert len(held) == 6
    monkeypatch.setattr("sktpecr.app._talks._BYTES_IN_MEMORY", 3 * max(held))
    for id in ids:  # those that are not at hand are read again
        assert client.get(f"/api/conversations/{id}").status_code == 200
        assert sum(each.nbytes for _, each in talks._recent.values()) <= 3 * max(held)
    assert list(talks._recent)[-1] == ids[-1]


def test_a_store_that_cannot_be_written_is_told_and_nothing_changes(tmp_path):
    path = tmp_path / "talks.sqlite"
    with TestClient(create_app(EXPLAINER, store=path), base_url="http://localhost") as client:
        state = begin(client)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        client.app.state.talks.store._connection.execute("PRAGMA busy_timeout = 50")
        answer = speak(client, state, "say", like={"tag_1": 1.0})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "is locked by another process; nothing was changed, try again" in answer.text
        other.execute("ROLLBACK")
        other.close()
        assert client.get(f"/api/conversations/{state['id']}").json() == state
        assert speak(client, state, "say", like={"tag_1": 1.0}).status_code == 200


@pytest.mark.parametrize(
    ("action", "said", "words"),
    [
        ("say", {"like": {"tga_1": 1}}, "did you mean 'tag_1'"),
        ("say", {}, "say what to like"),
        ("say", {"like": ["tag_1"]}, "object of tags and numbers"),
        ("say", {"like": {"tag_1": 1e9}}, "between 0 and 10"),
        ("say", {"like": {"tag_1": True}}, "object of tags and numbers"),
        ("say", {"like": {"tag_1": 1}, "dislike": {"tag_1": 1}}, "tag_1"),
        ("reject", {}, "item is missing"),
        ("reject", {"item": "item_99"}, "unknown item"),
        ("reject", {"item": {"a": 1}}, "string or a whole number"),
        ("hide", {"tag": "nothing"}, "unknown tag"),
        ("undo", {}, "there is no turn"),
        ("shout", {}, "action must be one of"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_changes(client, action, said, words):
    state = begin(client)
    answer = speak(client, state, action, **said)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert client.get(f"/api/conversations/{state['id']}").json() == state


def test_a_turn_that_cannot_be_kept_did_not_happen(client, monkeypatch):
    state = begin(client)
    talks = client.app.state.talks

    def fail(name, document):
        raise ValueError("the disk is full")

    monkeypatch.setattr(talks.store, "save", fail)
    assert speak(client, state, "say", like={"tag_1": 1}).status_code == 400
    monkeypatch.undo()
    assert client.get(f"/api/conversations/{state['id']}").json() == state


def test_a_failing_server_tells_nothing_of_itself(monkeypatch):
    app = create_app(EXPLAINER)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        monkeypatch.setattr(app.state.talks, "_directory", None)
        answer = client.get("/api/model")
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed; nothing was lost"}
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_an_answer_that_is_none_is_a_fault_of_the_server(monkeypatch):
    app = create_app(EXPLAINER)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        state = begin(client)
        monkeypatch.setattr(Conversation, "preview", lambda self, **said: self)
        monkeypatch.setattr(Conversation, "to_dict", lambda self: {"words": 1}, raising=False)
        path = f"/api/conversations/{state['id']}/preview"
        answer = client.post(path, json={"like": {"tag_1": 1}})
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed; nothing was lost"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 201),
    ],
)
def test_only_the_page_itself_is_let_in(client, headers, status):
    headers = {"Content-Type": "application/json", **headers}
    content = json.dumps({"user": USER})
    answer = client.post("/api/conversations", content=content, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize("host", ["films.example", "127.0.0.1:8000"])
def test_behind_a_tls_proxy_its_address_is_let_in(host):
    app = create_app(EXPLAINER, public_url="https://films.example/recs")
    headers = {"Host": host, "Origin": "https://films.example", "Sec-Fetch-Site": "same-origin"}
    with TestClient(app, base_url="http://localhost") as client:
        path, said = "/api/conversations", {"user": USER}
        assert client.post(path, json=said, headers=headers).status_code == 201
        for origin in ("https://evil.example", "http://films.example", "https://films.example:1"):
            foreign = headers | {"Origin": origin}
            assert client.post(path, json=said, headers=foreign).status_code == (
                201 if origin == f"http://{host}" else 403
            )


@pytest.mark.parametrize("address", ["films.example", "ftp://films.example", "", 7, "https://"])
def test_an_address_that_is_none_is_refused_at_the_start(address):
    with pytest.raises(ValueError, match="public_url must be an address such as"):
        create_app(EXPLAINER, public_url=address)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("{", 400),
        ("[1]", 400),
        ("[" * 10_000, 400),
        (json.dumps({"user": USER, "more": "x" * 20_000}), 413),
        (json.dumps({"user": USER, "tags": {}}), 400),
        (json.dumps({}), 400),
        (json.dumps({"user": [1]}), 400),
        (json.dumps({"user": None}), 400),
        ('{"tags": {"tag_1": NaN}}', 400),
        ('{"tags": {"tag_1": 1e999}}', 400),
        (json.dumps({"user": "\ud800"}), 400),
        (json.dumps({"user": "9" * 5000}), 400),
        ('{"tags": {"tag_1": 1' + "0" * 400 + "}}", 400),
    ],
)
def test_bodies_that_are_none(client, content, status):
    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/conversations", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_conversations_that_are_not_there(client):
    for method, path in (("GET", ""), ("GET", "/export"), ("POST", "/share")):
        assert client.request(method, f"/api/conversations/nobody{path}").status_code == 404
    state = begin(client)
    assert client.delete(f"/api/conversations/{state['id']}").status_code == 204
    assert client.get(f"/api/conversations/{state['id']}").status_code == 404
    for path in ("/../pyproject.toml", "/static/../_server.py", "/%2e%2e/_store.py"):
        assert client.get(path).status_code == 404


def test_pages_ask_for_nothing_from_elsewhere(client):
    names = [path.name for path in _STATIC.iterdir() if path.name != "index.html"]
    assert {"app.js", "app.css", "icon.svg"} < set(names)
    for path in ("/", "/api/openapi.json", *(f"/{name}" for name in names)):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        elsewhere = answer.text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in elsewhere
        assert "https://" not in elsewhere
    for path in ("index.html", *(name for name in names if name.endswith(".js"))):
        text = (_STATIC / path).read_text(encoding="utf-8")
        assert "innerHTML" not in text
        assert " style=" not in text
        assert " onclick=" not in text


def test_mounted_below_a_path_it_stays_there():
    outer = FastAPI(openapi_url=None)
    outer.mount("/recs", create_app(EXPLAINER))
    with TestClient(outer, base_url="http://localhost") as client:
        page = client.get("/recs")  # led to the folder, below which addresses are looked up
        assert page.url == "http://localhost/recs/"
        addresses = re.findall(r'(?:href|src)="([^"#]+)"', page.text)
        assert {"app.css", "app.js", "icon.svg", "./"} == set(addresses)
        for address in addresses:
            found = urljoin(str(page.url), address)
            assert found.startswith("http://localhost/recs/")
            assert client.get(found).status_code == 200
        state = client.post("/recs/api/conversations", json={"user": USER}).json()
        assert client.get(f"/recs/api/conversations/{state['id']}").json() == state
        described = client.get("/recs/api/openapi.json").json()
        assert described["servers"] == [{"url": "/recs"}]


@pytest.mark.parametrize(
    "limit",
    [
        {"max_conversations": 0},
        {"max_conversations": 1.5},
        {"max_age": 0},
        {"max_age": float("nan")},
        {"max_age": "a day"},
        {"allowed_hosts": "localhost"},
    ],
)
def test_limits_that_are_none_are_refused_at_the_start(limit):
    (name,) = limit
    with pytest.raises(ValueError, match=f"'{name}' parameter of create_app"):
        create_app(EXPLAINER, **limit)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"user_ids": [(number,) for number in range(40)]}, "user ids of type str or int or UUID"),
        ({"user_ids": np.arange(40.0)}, "user ids of type str or int or UUID, got float"),
        ({"item_ids": [f"{number}".encode() for number in range(60)]}, "item ids .* got bytes"),
        ({"tags": np.arange(5.0)}, "tag ids of type str or int, got float"),
    ],
)
def test_ids_that_no_request_can_say_are_refused_at_the_start(changed, words):
    tags = DATA.item_tags.copy()
    tags.index = changed.get("item_ids", tags.index)
    tags.columns = changed.get("tags", tags.columns)
    explainer = TPECRExplainer(TruncatedSVD(6, random_state=0), tags)
    explainer.fit(DATA.interactions, user_ids=changed.get("user_ids", DATA.user_ids))
    with pytest.raises(ValueError, match=words):
        create_app(explainer)


def test_openapi_describes_every_route(client):
    described = client.get("/api/openapi.json").json()
    routes = {
        (route.path, method)
        for route in client.app.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert len(routes) == 13
    methods = {"get", "post", "delete"}
    paths = {
        (path, method.upper())
        for path, each in described["paths"].items()
        for method in methods & each.keys()
    }
    assert paths == routes
    state = begin(client)
    assert set(described["components"]["schemas"]["State"]["required"]) == state.keys()


def test_many_talk_at_once(client):
    states = [begin(client) for _ in range(6)]
    last = {}

    def talk(number):
        state = states[number]
        for turn in range(5):
            state = speak(client, state, "say", like={f"tag_{(number + turn) % 5}": 1.0}).json()
        last[number] = state

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, state in last.items():
        conversation = Conversation(EXPLAINER, user=USER)
        for turn in range(5):
            conversation.like({f"tag_{(number + turn) % 5}": 1.0})
        assert [row["item"] for row in state["list"]] == conversation.recommend(10)["item"].tolist()


def test_the_command_line_serves_it(monkeypatch):
    import uvicorn

    from sktpecr.__main__ import main

    served = {}
    monkeypatch.setattr(uvicorn, "run", lambda app, **settings: served.update(settings, app=app))
    assert main(["app", "--port", "0", "--store", ":memory:"]) == 0
    assert served["host"] == "127.0.0.1"
    with TestClient(served["app"], base_url="http://localhost") as client:
        state = begin(client, user="42")
    assert state["user"] == "42"
    assert len(state["list"]) == 10


def test_a_port_that_is_taken_is_refused_before_anything_is_trained(monkeypatch, capsys):
    from sktpecr import __main__ as command

    trained = []
    monkeypatch.setattr(command, "_explained", lambda: trained.append(True))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert command.main(["app", f"--port={port}", "--store", ":memory:"]) == 2
    assert not trained
    printed = capsys.readouterr()
    assert not printed.out
    assert f"port {port} of 127.0.0.1" in printed.err
    assert "choose another with --port" in printed.err


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_is_none(port, capsys):
    from sktpecr.__main__ import main

    with pytest.raises(SystemExit) as stopped:
        main(["app", f"--port={port}"])
    assert stopped.value.code == 2
    assert "a port is a number from 0 to 65535" in capsys.readouterr().err


def test_without_the_extra_it_says_so(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ImportError, match=r"pip install 'sktpecr\[app\]'"):
        create_app(EXPLAINER)
