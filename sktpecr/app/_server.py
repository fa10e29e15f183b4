"""The server: routes, what is let in, and what goes out."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sktpecr.app._store import ConversationStore
from sktpecr.app._talks import (
    ACTIONS,
    StaleTurnError,
    Talks,
    UnknownConversationError,
    needed,
)
from sktpecr.explanation._tpecr_explainer import TPECRExplainer

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response


_STATIC = Path(__file__).with_name("static")
_PAGES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/app.css": ("app.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/api/openapi.json": ("openapi.json", "application/json"),
}
_NEEDS_EXTRA = "the app needs its extra: pip install 'sktpecr[app]' ({})"
_MAX_BODY = 16 * 1024  # bytes
_BODY_SECONDS = 10.0
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
# Only what the server itself serves, no inline script, in nobody's frame.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def create_app(
    explainer: TPECRExplainer,
    *,
    store: str | os.PathLike[str] = ":memory:",
    allowed_hosts: Sequence[str] = _LOCAL,
    max_conversations: int = 10_000,
    max_age: float = 30 * 86400.0,
) -> Starlette:
    """Make the web application for an explainer, to be run by any ASGI server.

    Parameters
    ----------
    explainer : TPECRExplainer
        Fitted.
    store : str or path, default=":memory:"
        SQLite file in which conversations outlive the server.
    allowed_hosts : sequence of str, default=("localhost", "127.0.0.1", "[::1]")
        Names that a request may call this server by; others are refused.
    max_conversations : int, default=10_000
        How many conversations are kept; the ones touched longest ago go first.
    max_age : float, default=30 days
        Seconds after which a conversation that nobody touches is gone.

    Returns
    -------
    starlette.applications.Starlette
        With the page at ``/`` and a JSON API that ``/api/openapi.json`` describes.

    Raises
    ------
    ValueError
        If the store is no SQLite file.
    ImportError
        If starlette is not there; the extra ``app`` brings it.

    Notes
    -----
    Everything is same-origin: the page asks for nothing from elsewhere, and requests of other
    origins are refused. Whoever knows the id of a conversation can read it; ids cannot be guessed.
    There are no accounts: put it behind a proxy that knows who is who before it leaves the house.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.app import create_app
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> app = create_app(explainer.fit(data.interactions))
    >>> sorted(route.path for route in app.routes)[:2]
    ['/', '/api/conversations']
    """
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware
        from starlette.routing import Route
    except ImportError as error:
        raise ImportError(
            f"the app needs its extra: pip install 'sktpecr[app]' ({error})"
        ) from error

    talks = Talks(
        explainer,
        ConversationStore(store, max_conversations=max_conversations, max_age=max_age),
    )
    # Each a function of the id in the path and what the body says.
    one = "/api/conversations/{id}"
    calls: list[tuple[str, str, Callable[[str, dict[str, Any]], Any]]] = [
        ("GET", "/api/model", lambda name, said: talks.model()),
        ("POST", "/api/conversations", lambda name, said: talks.begin(said)),
        ("GET", one, lambda name, said: talks.state(name)),
        ("DELETE", one, lambda name, said: talks.forget(name)),
        ("POST", f"{one}/turns", lambda name, said: _speak(talks, name, said)),
        ("POST", f"{one}/preview", talks.preview),
        ("POST", f"{one}/explain", lambda name, said: talks.explain(name, needed(said, "item"))),
        ("GET", f"{one}/question", lambda name, said: talks.question(name)),
        ("GET", f"{one}/export", lambda name, said: talks.export(name)),
    ]
    routes = [Route(path, _page(*page), methods=["GET"]) for path, page in _PAGES.items()]
    routes += [Route(path, _endpoint(call), methods=[method]) for method, path, call in calls]
    hosts = list(allowed_hosts)
    app = Starlette(
        routes=routes,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)],
        exception_handlers={HTTPException: _http_error, Exception: _server_error},
    )
    app.state.talks = talks
    return app


def serve(
    explainer: TPECRExplainer,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    store: str | os.PathLike[str] = ":memory:",
    allowed_hosts: Sequence[str] = (),
) -> None:
    """Serve the conversation in a browser until interrupted.

    Parameters
    ----------
    explainer : TPECRExplainer
        Fitted.
    host : str, default="127.0.0.1"
        Address to listen on. Others than this machine's own are reached by everybody who can reach
        the machine.
    port : int, default=8000
        Port to listen on.
    store : str or path, default=":memory:"
        SQLite file in which conversations outlive the server.
    allowed_hosts : sequence of str, optional
        Further names that a request may call this server by.

    Raises
    ------
    ImportError
        If starlette and uvicorn are not there; the extra ``app`` brings them.

    Examples
    --------
    >>> from sktpecr.app import serve
    >>> serve(explainer, port=8000, store="talks.sqlite")  # doctest: +SKIP
    """
    app = create_app(explainer, store=store, allowed_hosts=(*_LOCAL, host, *allowed_hosts))
    try:
        import uvicorn
    except ImportError as error:
        raise ImportError(
            f"the app needs its extra: pip install 'sktpecr[app]' ({error})"
        ) from error

    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)


def _speak(talks: Talks, name: str, said: dict[str, Any]) -> dict[str, Any]:
    action, turn = needed(said, "action"), needed(said, "turn")
    if action not in ACTIONS:
        raise ValueError(f"action must be one of {', '.join(ACTIONS)}, got {action!r:.80}")
    if not isinstance(turn, int) or isinstance(turn, bool):
        raise ValueError(f"turn must be the number of turns so far, got {turn!r:.80}")
    return talks.speak(name, action, turn, said)


def _page(name: str, media_type: str) -> Callable[[Request], Any]:
    content = (_STATIC / name).read_bytes()

    async def page(request: Request) -> Response:
        from starlette.responses import Response

        return Response(content, media_type=media_type, headers=_HEADERS)

    return page


def _endpoint(call: Callable[[str, dict[str, Any]], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        try:
            said = await _body(request) if request.method == "POST" else {}
            answer = await run_in_threadpool(call, request.path_params.get("id", ""), said)
        except _RefusedError as error:
            return _answer({"error": str(error)}, error.status)
        except UnknownConversationError as error:
            return _answer({"error": str(error)}, 404)
        except StaleTurnError as error:
            return _answer({"error": str(error), "state": error.state}, 409)
        except ValueError as error:
            return _answer({"error": str(error)}, 400)
        created = request.method == "POST" and request.url.path == "/api/conversations"
        return _answer(answer, 204 if answer is None else 201 if created else 200)

    return endpoint


async def _body(request: Request) -> dict[str, Any]:
    """Read the JSON object of a request that comes from the page itself, or from no page."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if origin not in (None, f"{request.url.scheme}://{request.url.netloc}") or site not in (
        "same-origin",
        "none",
    ):
        raise _RefusedError(403, "requests of other origins are refused")
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise _RefusedError(415, "the body must be application/json")
    try:
        text = await asyncio.wait_for(_read(request), _BODY_SECONDS)
    except TimeoutError:
        raise _RefusedError(408, f"the body took longer than {_BODY_SECONDS:g} s") from None
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise _RefusedError(400, "the body is not JSON") from None
    if not isinstance(said, dict):
        raise _RefusedError(400, "the body must be a JSON object")
    return said


async def _read(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _MAX_BODY:
            raise _RefusedError(413, f"the body must not be larger than {_MAX_BODY} bytes")
        parts.append(part)
    return b"".join(parts)


def _answer(answer: Any, status: int) -> Response:
    from starlette.responses import Response

    content = answer if isinstance(answer, str) else json.dumps(answer, allow_nan=False)
    return Response(
        None if status == 204 else content, status, media_type="application/json", headers=_HEADERS
    )


async def _http_error(request: Request, error: Any) -> Response:
    answer = _answer({"error": error.detail}, error.status_code)
    answer.headers.update(error.headers or {})  # such as what would be allowed
    return answer


async def _server_error(request: Request, error: Exception) -> Response:
    # The trace goes to the log; nothing of it to whoever asks.
    return _answer({"error": "the server failed; nothing was lost"}, 500)
