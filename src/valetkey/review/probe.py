"""Stage 1: what the network shows to somebody unknown. Nothing that is sent here carries a credential.

Questions that do not wait for each other's answers are asked at once, so that a server which keeps all of them waiting
costs three times the patience of one request, and not twenty times.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import urljoin

from valetkey.kernel.errors import BadInput, OutboundFailed
from valetkey.net.certificate import Certificate
from valetkey.net.limits import KIB
from valetkey.net.model import Moved
from valetkey.protocol.jsonrpc import request_message
from valetkey.protocol.messages import initialize_params
from valetkey.protocol.versions import LEGACY
from valetkey.review.model import Exchange, Listing, Page, Probe
from valetkey.review.sign_in import look_at_sign_in
from valetkey.review.visit import Visit, exchange_of, failed
from valetkey.upstream.streamable_http import ACCEPT, CLIENT_INFO, JSON, Headers

STRANGE_ORIGIN: Final = "https://strange-origin.invalid"
MAX_REDIRECTS: Final = 5
MAX_PAGE: Final = 512 * KIB
_MOST_WORDS: Final = 200_000
_SPACES: Final = re.compile(r"\s+")
_TAG: Final = re.compile(r"/?[a-z]+")


async def probe(visit: Visit, listing: Listing | None) -> Probe:
    """Looks from outside. Never raises for what the server does: what failed is in the values."""
    visit.say("asking the endpoint, as somebody unknown")
    certificate, opening, stream, preflight, strange = await asyncio.gather(
        _certificate(visit),
        _open(visit, ()),
        _ask(visit, "GET", ((b"accept", b"text/event-stream"),), b""),
        _preflight(visit),
        _open(visit, ((b"origin", STRANGE_ORIGIN.encode()),)),
    )
    visit.say("looking for how one signs in, and at public pages")
    sign_in, pages = await asyncio.gather(look_at_sign_in(visit, opening), _pages(visit, listing))
    return Probe(
        opening=opening,
        stream=stream,
        preflight=preflight,
        strange_origin=strange,
        certificate=certificate if isinstance(certificate, Certificate) else None,
        certificate_problem=certificate if isinstance(certificate, str) else "",
        sign_in=sign_in,
        pages=pages,
    )


async def _certificate(visit: Visit) -> Certificate | str | None:
    if visit.url.scheme != "https":
        return "It is not https."
    if visit.certificates is None:
        return None
    try:
        return await visit.certificates.look(visit.url, limits=visit.patience.request)
    except OutboundFailed as error:
        return error.message


async def _open(visit: Visit, more: Headers) -> Exchange:
    """A handshake without credentials."""
    params = initialize_params(LEGACY[0], CLIENT_INFO, b"{}")
    body = request_message(next(visit.ids), "initialize", params)
    return await _ask(visit, "POST", (ACCEPT, JSON, *more), body)


async def _ask(visit: Visit, method: str, headers: Headers, body: bytes) -> Exchange:
    try:
        answer = await visit.out.calls.post(
            visit.url, headers, body, credential=None, pool="review", limits=visit.patience.request, method=method
        )
    except OutboundFailed as error:
        return failed(error)
    await answer.aclose()
    return exchange_of(answer)


async def _preflight(visit: Visit) -> Exchange:
    asked = {
        "origin": "https://assistant.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,mcp-protocol-version",
    }
    try:
        return exchange_of(await visit.out.web.options(visit.url, headers=asked, limits=visit.patience.request))
    except OutboundFailed as error:
        return failed(error)


# --- public pages -------------------------------------------------------------------------------------------------


async def _pages(visit: Visit, listing: Listing | None) -> dict[str, Page]:
    wanted = {"security": f"{visit.url.origin}/.well-known/security.txt"}
    if listing is not None:
        wanted |= {field: getattr(listing, field) for field in ("privacy_policy", "docs", "support")}
        if listing.proof:
            wanted["proof"] = f"{visit.url.origin}/.well-known/valetkey-challenge"
    asked = {field: url for field, url in wanted.items() if url and not url.startswith("mailto:")}
    found = await asyncio.gather(*(_page(visit, url) for url in asked.values()))
    return dict(zip(asked, found, strict=True))


async def _page(visit: Visit, text: str) -> Page:
    """A public page, over redirects; each address is parsed and checked like the first, and none is sent anything."""
    limits = replace(visit.patience.request, max_body=MAX_PAGE)
    for redirects in range(MAX_REDIRECTS + 1):
        try:
            url = visit.parse(text)
            accepted = {"accept": "text/html, text/plain"}
            fetched = await visit.out.web.get(url, headers=accepted, limits=limits)
        except Moved as moved:
            text = urljoin(text, moved.location)
            continue
        except (BadInput, OutboundFailed) as error:
            return Page(text, problem=error.message, redirects=redirects)
        words = _words(fetched.body, fetched.headers.get("content-type", ""))
        return Page(url.text, fetched.status, words, redirects)
    return Page(text, problem=f"It redirects more than {MAX_REDIRECTS} times.", redirects=MAX_REDIRECTS + 1)


def _words(body: bytes, content_type: str) -> str:
    """What a page says, without markup: one pass, however broken the markup is."""
    text = body.decode(errors="replace")
    if "html" in content_type:
        text = html.unescape(" ".join(_outside_tags(text)))
    return _SPACES.sub(" ", text)[:_MOST_WORDS]


def _outside_tags(text: str) -> Iterator[str]:
    first, *pieces = text.split("<")
    yield first
    within = ""
    for piece in pieces:
        tag, _, rest = piece.partition(">")
        name = _TAG.match(tag.lower())
        if name is not None and name[0] in ("script", "style", "/script", "/style"):
            within = name[0] if name[0][0] != "/" else ""
        if not within:
            yield rest
