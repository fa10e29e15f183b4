"""Requests made up from the app's own description, against a running server: nothing falls over.

schemathesis stands alone: its command is looked for on the path, and is not among the dependencies.
"""

import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from sktpecr import TPECRExplainer
from sktpecr.app import create_app
from sktpecr.datasets import make_tagged_interactions

uvicorn = pytest.importorskip("uvicorn")

SCHEMATHESIS = shutil.which("schemathesis")
DATA = make_tagged_interactions(n_users=40, n_items=30, n_tags=4, random_state=0)


@pytest.fixture(scope="module")
def url():
    from sktpecr.app._hurried_protocol import HurriedProtocol

    rng = np.random.RandomState(0)
    factors = rng.normal(size=(40, 5)), rng.normal(size=(30, 5))
    explainer = TPECRExplainer(factors, DATA.item_tags).fit(DATA.interactions)
    how = {"port": 0, "log_level": "error", "http": HurriedProtocol}
    server = uvicorn.Server(uvicorn.Config(create_app(explainer), **how))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


def begin(url):
    request = urllib.request.Request(  # noqa: S310
        f"{url}/api/conversations",
        data=json.dumps({"user": 3}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)["id"]


@pytest.mark.skipif(SCHEMATHESIS is None, reason="schemathesis is not on the path")
@pytest.mark.parametrize("known", [True, False], ids=["a conversation", "no conversation"])
def test_no_request_fells_the_server(url, known, tmp_path):
    config = tmp_path / "schemathesis.toml"
    config.write_text(f'[parameters]\n"path.id" = "{begin(url)}"\n' if known else "")
    command = [
        *(SCHEMATHESIS, "--config-file", str(config), "run", f"{url}/api/openapi.json"),
        *("--max-examples", "50", "--seed", "1", "--exclude-method", "DELETE"),
        # An id that nobody has is refused with 400, which no schema can say; what an action does
        # not need is not looked at; and starlette lists the methods of one of two routes of a path.
        "--exclude-checks",
        "positive_data_acceptance,negative_data_rejection,allow_header_conformance",
    ]
    # In a folder of its own: it leaves records of what it did.
    run = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-9000:]


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/app.js/../../_server.py",
        "/api/conversations/..%2f..%2fmodel",
        "/static/../_server.py",
        "//etc/passwd",
        "/%00",
        "/" + "a" * 20_000,
    ],
)
def test_paths_lead_nowhere(url, path):
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in (400, 404, 414)
    assert b"root:" not in body
    assert b"import" not in body


def test_what_would_be_allowed_is_said(url):
    request = urllib.request.Request(f"{url}/api/model", method="PUT")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)  # noqa: S310
    assert refused.value.code == 405
    assert "GET" in refused.value.headers["Allow"]
    refused.value.close()


def test_a_body_that_never_ends_is_given_up_and_nobody_waits_for_it(url, monkeypatch):
    monkeypatch.setattr("sktpecr.app._server._BODY_SECONDS", 0.5)
    host, port = url.removeprefix("http://").split(":")
    slow = []
    for _ in range(20):
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.putrequest("POST", "/api/conversations")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "100")
        connection.endheaders(b'{"user"')
        slow.append(connection)
    start = time.monotonic()
    with urllib.request.urlopen(f"{url}/api/model", timeout=10) as answer:  # noqa: S310
        assert answer.status == 200
    assert time.monotonic() - start < 0.5
    for connection in slow:
        answer = connection.getresponse()
        assert answer.status == 408
        assert b"0.5 s" in answer.read()
        connection.close()
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("first", [b"", b"GET /api/model HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"])
def test_headers_that_never_end_are_given_up(url, monkeypatch, first):
    monkeypatch.setattr("sktpecr.app._hurried_protocol.HEADER_SECONDS", 0.6)
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        if first:  # a whole request, and then half of one
            connection.sendall(first)
            got = b""
            while b'"n_items"' not in got:
                got += connection.recv(65536)
        start = time.monotonic()
        gone = False
        connection.sendall(b"GET /api/model HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        while not gone and time.monotonic() - start < 5:  # a byte now and then wins no time
            connection.settimeout(0.1)
            try:
                connection.sendall(b"X")
                gone = not connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                gone = True
    assert gone
    assert time.monotonic() - start < 3


def test_slow_answers_are_not_cut_off(url, monkeypatch):
    monkeypatch.setattr("sktpecr.app._hurried_protocol.HEADER_SECONDS", 0.2)
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    headers = {"Content-Type": "application/json", "Content-Length": "11"}
    connection.putrequest("POST", "/api/conversations")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(b'{"user"')
    time.sleep(0.6)  # of a body, which has limits of its own
    connection.send(b": 3}")
    assert connection.getresponse().status == 201
    connection.close()
