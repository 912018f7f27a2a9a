"""`prompts/list`, `resources/list` and `resources/templates/list` on `/mcp`: all accounts' side by side, in pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from valetkey.gateway import addresses
from valetkey.gateway.catalog import Catalog, Seen, prompt_names
from valetkey.gateway.listing import MOST_TTL_MS, marks
from valetkey.gateway.model import Client, Door
from valetkey.identity.model import Principal
from valetkey.kernel.clock import Clock
from valetkey.protocol import translate, uris
from valetkey.protocol.errors import INVALID_PARAMS, Rejected
from valetkey.protocol.jsonrpc import members

PAGE: Final = 500
"""Items of one page."""
_CURSOR: Final = "vkc_"


class Lists:
    """Puts lists together. `public_url` is where a person finds what is missing."""

    def __init__(self, catalog: Catalog, *, clock: Clock, public_url: str) -> None:
        self._catalog = catalog
        self._clock = clock
        self._public_url = public_url

    async def all(self, who: Principal, door: Door, client: Client, method: str, cursor: bytes) -> bytes:
        """The page at `cursor` (raw JSON; empty for the first one). Raises `Rejected` for a cursor that is not ours."""
        start = _read_cursor(cursor)
        seen = await self._catalog.all(who, door, method)
        listed = list(_shown(method, seen))
        if start and start >= len(listed):
            raise _no_such_page()
        following = _cursor(start + PAGE) if start + PAGE < len(listed) else ""
        troubles = [
            (each.account.connector.slug, each.account.connection.label, each.problem, self._page(each))
            for each in seen
            if each.problem
        ]
        return translate.list_result(
            listed[start : start + PAGE],
            translate.REQUESTS[method],
            version=client.version,
            ttl_ms=self._ttl_ms(seen),
            cursor=following,
            meta=marks(troubles),
        )

    def _ttl_ms(self, seen: Sequence[Seen]) -> int:
        if any(each.problem for each in seen):
            return 0
        now = self._clock.monotonic()
        return max(0, min(MOST_TTL_MS, int((min((each.until for each in seen), default=now) - now) * 1000)))

    def _page(self, seen: Seen) -> str:
        return self._public_url + seen.account.page


def _shown(method: str, seen: Sequence[Seen]) -> Iterator[bytes]:
    if method == "prompts/list":
        theirs = {(account.connection.id, name): ours for ours, (account, name) in prompt_names(seen).items()}
        for each in seen:
            for item in each.items:
                if (name := theirs.pop((each.account.connection.id, _text(item, "name")), "")) != "":
                    yield translate.renamed(item, name=name)
        return
    member = "uri" if method == "resources/list" else "uriTemplate"
    shown: set[str] = set()
    for each in seen:
        change = addresses.outward(each.account)
        for item in each.items:
            uri = _text(item, member)
            if not addresses.is_public(uri) or uri not in shown:  # the first account that lists a web address has it
                shown.add(uri)
                yield uris.in_item(item, member, change)


def _text(item: bytes, member: str) -> str:
    try:
        value = msgspec.json.decode(members(item).get(member, b'""'))
    except (msgspec.MsgspecError, Rejected):
        return ""
    return value if isinstance(value, str) else ""


def _cursor(start: int) -> str:
    return _CURSOR + base64.urlsafe_b64encode(b"%d" % start).decode()


def _read_cursor(cursor: bytes) -> int:
    """Where the page begins. It carries no right and names nobody: whose list it is, the request's token says."""
    if cursor in (b"", b"null"):
        return 0
    try:
        text = msgspec.json.decode(cursor, type=str)
        number = base64.b64decode(text.removeprefix(_CURSOR), altchars=b"-_", validate=True)
    except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
        raise _no_such_page() from error
    if not text.startswith(_CURSOR) or not number.isdigit() or len(number) > 9 or _cursor(int(number)) != text:
        raise _no_such_page()
    return int(number)


def _no_such_page() -> Rejected:
    return Rejected("There is no such page.", rpc_code=INVALID_PARAMS, field="params.cursor")
