"""The server: routes, what is let in, and what goes out."""

from __future__ import annotations

import asyncio
import html
import os
import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from sktpecr.app._store import ConversationStore, StoreError
from sktpecr.explanation._tpecr_explainer import TPECRExplainer

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse, Response


_STATIC = Path(__file__).with_name("static")
_NEEDS_EXTRA = "the app needs its extra: pip install 'sktpecr[app]' ({})"
_MAX_BODY = 16 * 1024  # bytes
_BODY_SECONDS = 10.0
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
# Only what the server itself serves, no inline script, in nobody's frame.
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_ABOUT = (
    "Recommendations explained by tags and refined by answers on tags. Same origin only; whoever "
    "knows the id of a conversation can read it."
)
_REFUSED = (
    "400: what is wrong with the request. 403: it comes from another origin, or would change what "
    "was shared to be looked at. 404: there is no such conversation, or no more. 408: the body "
    "took too long. 413: the body is too large. 415: the body is not application/json."
)


@validate_params(
    {
        "allowed_hosts": [list, tuple],
        "max_conversations": [Interval(Integral, 1, None, closed="left")],
        "max_age": [Interval(Real, 0, np.inf, closed="right")],
        "words": [Mapping, None],
    },
    prefer_skip_nested_validation=False,
)
def create_app(
    explainer: TPECRExplainer,
    *,
    store: str | os.PathLike[str] = ":memory:",
    allowed_hosts: Sequence[str] = _LOCAL,
    max_conversations: int = 10_000,
    max_age: float = 30 * 86400.0,
    words: Mapping[str, str] | None = None,
    public_url: str | None = None,
) -> FastAPI:
    """Make the web application for an explainer, for any ASGI server.

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
    words : mapping of str to str, optional
        A translation: templates in place of those of ``sktpecr.ENGLISH``, and of those that begin
        with ``page_``, which ``/api/model`` lists; see :meth:`sktpecr.Explanation.to_text`.
    public_url : str, optional
        Where a proxy shows the app, such as ``"https://films.example/recs"``: requests by that
        name and of that origin are let in as well.

    Returns
    -------
    fastapi.FastAPI
        With the page at ``/`` and a JSON API that ``/api/openapi.json`` describes.

    Raises
    ------
    ValueError
        If a limit is none, an id is neither a string nor a whole number, a tag is no string,
        `public_url` is no address, or the store is no SQLite file.
    OSError
        If the store cannot be written.
    ImportError
        If FastAPI is not there; the extra ``app`` brings it.

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
    >>> sorted(app.openapi()["paths"])[:2]
    ['/api/conversations', '/api/conversations/{id}']
    """
    try:
        from fastapi import FastAPI
        from fastapi.middleware import Middleware
        from fastapi.middleware.trustedhost import TrustedHostMiddleware

        from sktpecr.app._schemas import Error, Stale
        from sktpecr.app._talks import Talks
    except ImportError as error:
        raise ImportError(_NEEDS_EXTRA.format(error)) from error

    kept = ConversationStore(store, max_conversations=max_conversations, max_age=max_age)
    talks = Talks(explainer, kept, words)
    origin, host = _origin(public_url)
    app = FastAPI(
        title="sktpecr conversations",
        version="1",
        description=_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,  # pages that load scripts from elsewhere
        redoc_url=None,
        middleware=[
            Middleware(_guarded, shown_at=origin),
            Middleware(
                TrustedHostMiddleware, allowed_hosts=[*allowed_hosts, *host], www_redirect=False
            ),
        ],
        exception_handlers=_handlers(),
        responses={
            "4XX": {"model": Error, "description": _REFUSED},
            503: {"model": Error, "description": "The store of conversations cannot be used now."},
        },
    )
    app.state.talks = talks
    for name in sorted(each.name for each in _STATIC.iterdir()):
        path = "/" if name == "index.html" else f"/{name}"
        app.add_route(path, _page(name, talks.page), include_in_schema=False)
    one = "/api/conversations/{id}"
    app.get("/api/model")(talks.model)
    app.get("/api/search")(talks.search)
    app.post("/api/conversations", status_code=201)(talks.begin)
    app.get(one)(talks.state)
    app.delete(one, status_code=204)(talks.forget)
    app.post(f"{one}/turns", responses={409: {"model": Stale}})(talks.speak)
    app.post(f"{one}/preview")(talks.preview)
    app.post(f"{one}/amounts")(talks.amounts)
    app.post(f"{one}/explain")(talks.explain)
    app.post(f"{one}/why_not")(talks.why_not)
    app.post(f"{one}/compare")(talks.compare)
    app.post(f"{one}/share", status_code=201)(talks.share)
    app.get(f"{one}/export")(talks.export)
    return app


def serve(
    explainer: TPECRExplainer,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    store: str | os.PathLike[str] = ":memory:",
    allowed_hosts: Sequence[str] = (),
    public_url: str | None = None,
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
    public_url : str, optional
        Where a proxy shows the app, see :func:`create_app`.

    Raises
    ------
    ImportError
        If FastAPI and uvicorn are not there; the extra ``app`` brings them.

    Examples
    --------
    >>> from sktpecr.app import serve
    >>> serve(explainer, port=8000, store="talks.sqlite")  # doctest: +SKIP
    """
    hosts = (*_LOCAL, host, *allowed_hosts)
    app = create_app(explainer, store=store, allowed_hosts=hosts, public_url=public_url)
    try:
        import uvicorn

        from sktpecr.app._hurried_protocol import HurriedProtocol
    except ImportError as error:
        raise ImportError(_NEEDS_EXTRA.format(error)) from error

    how: dict[str, Any] = {"log_level": "warning", "server_header": False}
    uvicorn.run(app, host=host, port=port, http=HurriedProtocol, **how)


def _page(name: str, words: Mapping[str, str]) -> Callable[[Request], Response]:
    from fastapi.responses import FileResponse, HTMLResponse

    if name != "index.html":
        return lambda request: FileResponse(_STATIC / name)
    # The words are in place before any script runs, and where none does.
    text = (_STATIC / name).read_text(encoding="utf-8")
    text = re.sub(r"{{(\w+)}}", lambda found: html.escape(words[found[1]]), text)
    return lambda request: HTMLResponse(text)


def _origin(public_url: Any) -> tuple[str | None, list[str]]:
    """Return the origin of an address, and the name of its host."""
    if public_url is None:
        return None, []
    parts = urlsplit(public_url) if isinstance(public_url, str) else urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"public_url must be an address such as 'https://films.example/recs', got "
            f"{public_url!r:.80}"
        )
    return f"{parts.scheme}://{parts.netloc}", [parts.hostname]


def _guarded(app: Any, shown_at: str | None) -> Any:
    """Wrap an app: headers for every answer, and bodies only of its own page, within bounds."""
    from fastapi import HTTPException, Request

    headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        ends, size = asyncio.get_running_loop().time() + _BODY_SECONDS, 0

        # What is raised here meets the route that reads the body, which makes an answer of it.
        async def body() -> Any:
            nonlocal size
            url, sent = Request(scope).url, Request(scope).headers
            own, site = f"{url.scheme}://{url.netloc}", sent.get("sec-fetch-site", "none")
            if sent.get("origin", own) not in (own, shown_at) or site not in (
                "same-origin",
                "none",
            ):
                raise HTTPException(403, "requests of other origins are refused")
            if sent.get("content-type", "").split(";")[0].strip() != "application/json":
                raise HTTPException(415, "the body must be application/json")
            try:
                async with asyncio.timeout_at(ends):
                    part = await receive()
            except TimeoutError:
                message = f"the body took longer than {_BODY_SECONDS:g} s"
                raise HTTPException(408, message) from None
            size += len(part.get("body", b""))
            if size > _MAX_BODY:
                raise HTTPException(413, f"the body must not be larger than {_MAX_BODY} bytes")
            return part

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await app(scope, body if scope["method"] == "POST" else receive, answer)

    return guard


def _handlers() -> dict[Any, Any]:
    """Return what answers which error: the trace goes to the log, nothing of it to who asks."""
    from fastapi.exceptions import RequestValidationError
    from pydantic import ValidationError
    from starlette.exceptions import HTTPException

    from sktpecr.app._schemas import complaint
    from sktpecr.app._talks import (
        SharedConversationError,
        StaleTurnError,
        UnknownConversationError,
    )

    def own_fault(request: Request, error: Exception) -> Response:
        raise error  # an answer that is none: a ValueError, and yet nobody's but ours

    return {
        HTTPException: lambda _, error: _refusal(error.status_code, error.detail, error.headers),
        RequestValidationError: lambda _, error: _refusal(400, complaint(error.errors()[0])),
        UnknownConversationError: lambda _, error: _refusal(404, error),
        StaleTurnError: lambda _, error: _refusal(
            409, error, state=error.state.model_dump(mode="json")
        ),
        SharedConversationError: lambda _, error: _refusal(403, error),
        StoreError: lambda _, error: _refusal(503, error, {"retry-after": "2"}),
        ValidationError: own_fault,
        ValueError: lambda _, error: _refusal(400, error),
        Exception: lambda _, error: _refusal(500, "the server failed; nothing was lost", _HEADERS),
    }


def _refusal(status: int, words: Any, headers: Any = None, **more: Any) -> JSONResponse:
    from fastapi.responses import JSONResponse

    return JSONResponse({"error": str(words), **more}, status, headers)
