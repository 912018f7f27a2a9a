"""What of a service's questions reaches a person: labelled with who asks, and never in our name or for a secret.

A service's question is no approval of ours, whatever it says and whatever is answered (security.md 6.4): approvals are
given on our own pages. A form for a secret is what MCP forbids, since the client and its model read the answers.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from valetkey.directory.links import is_declared
from valetkey.directory.listings import Listing
from valetkey.directory.model import Connector
from valetkey.gateway.accounts import ReadsUrls
from valetkey.gateway.model import Client
from valetkey.kernel.errors import BadInput, Refused
from valetkey.kernel.ids import new_id
from valetkey.protocol.asks import ELICITATION, Question
from valetkey.protocol.errors import Rejected
from valetkey.protocol.jsonrpc import members
from valetkey.protocol.versions import LEGACY

_MAX_MESSAGE: Final = 4000
_SECRET: Final = re.compile(
    r"pass ?(word|wd|phrase|code)s?|\bpwd\b|secret|credential|api ?keys?\b|(access|private|signing|ssh) ?keys?"
    r"|(access|auth|bearer|refresh|api|session|id) ?tokens?\b|^(your |the |my )?token$|\bjwt\b"
    r"|(credit|debit|bank)? ?card ?(number|no)\b|\bcv[vc]2?\b|\bpin ?(code|number)\b|\bpin$|\bssn\b|social security"
    r"|(one time|recovery|backup|verification|security|2fa|mfa|sms) ?codes?|\b(t?otp|2fa|mfa)\b|seed phrase|mnemonic"
)
"""In the name, title or description of a form's field, in lower case and with its words apart."""
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD: Final = re.compile(r"[\W_]+")


class QuestionRefused(Refused):
    """The service asked something that is not passed on. `message` says what, for the person."""

    code = "question_refused"


class Questions:
    """Looks at questions. `hosts` are the names this hub is reached by; `listing_of` has what a publisher declared."""

    def __init__(
        self, *, hosts: Iterable[str], parse_url: ReadsUrls, listing_of: Callable[[Connector], Listing | None]
    ) -> None:
        self._listing_of = listing_of
        self._hosts = tuple(_plain(host) for host in hosts)
        self._parse_url = parse_url

    def for_client(self, question: Question, *, connector: Connector, client: Client) -> Question:
        """The question as this client gets it. Raises `QuestionRefused`."""
        service = connector.name
        if question.method != ELICITATION:
            return question
        try:
            params = members(question.params)
            read = json.loads(question.params)
            message = msgspec.json.decode(params.get("message", b'""'), type=str)
        except (Rejected, msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise QuestionRefused(f"{service} asked something that is not MCP.", rule="bad_question") from error
        if self._speaks_for_us(read):
            raise QuestionRefused(f"{service} asked in the name of this hub, which only its own pages do.", rule="ours")
        if read.get("mode", "form") == "url":
            said = self._to_a_page(str(read.get("url", "")), message, connector)
            params.pop("elicitationId", None)
            if not client.is_modern:  # 2025-11-25 wants an id; ours, since theirs is about another leg
                params["elicitationId"] = msgspec.Raw(msgspec.json.encode(new_id("elicit")))
        else:
            if _wants_a_secret(read.get("requestedSchema")):
                raise QuestionRefused(
                    f"{service} asked for a secret in a form, where the assistant would read it. MCP forbids that.",
                    rule="asks_for_a_secret",
                )
            said = f"{service} asks: {message}"
            if client.version < LEGACY[0]:
                params.pop("mode", None)
        params["message"] = msgspec.Raw(msgspec.json.encode(said[:_MAX_MESSAGE]))
        return Question(question.method, _object(params))

    def _to_a_page(self, url: str, message: str, connector: Connector) -> str:
        service = connector.name
        try:
            parsed = self._parse_url(url)
        except BadInput as error:
            raise QuestionRefused(
                f"{service} asked to open an address that nobody should: {error.message}", rule="bad_url"
            ) from error
        if parsed.scheme != "https" and parsed.host not in ("localhost", "127.0.0.1", "::1"):
            raise QuestionRefused(f"{service} asked to open an address without encryption.", rule="bad_url")
        listing = self._listing_of(connector)
        # DIR-13: the address is always shown before it is opened; one that was not declared, with that.
        strange = listing is not None and listing.links and not is_declared(url, listing.links)
        unnamed = ", which is none of the places that its publisher named" if strange else ""
        return f"{service} asks you to open {url}{unnamed}: {message}"

    def _speaks_for_us(self, read: object) -> bool:
        return any(host in text for text in map(_plain, _strings(read)) for host in self._hosts)


def _wants_a_secret(schema: object) -> bool:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return False
    for name, one in properties.items():
        about = (
            [name, *(one.get(key) for key in ("title", "description", "format"))] if isinstance(one, dict) else [name]
        )
        if any(_SECRET.search(_words(text)) for text in about if isinstance(text, str)):
            return True
    return False


def _words(text: str) -> str:
    return _NO_WORD.sub(" ", _CAMEL.sub(" ", unicodedata.normalize("NFKC", text))).casefold().strip()


def _plain(text: str) -> str:
    """Text as it would look to a hurried reader: without escapes, width, case and invisible characters."""
    shown = unicodedata.normalize("NFKC", unquote(text))
    return "".join(char for char in shown if unicodedata.category(char) != "Cf").casefold()


def _strings(read: object) -> Iterator[str]:
    stack: list[Any] = [read]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            stack += [*node.keys(), *node.values()]
        elif isinstance(node, list):
            stack += node


def _object(parts: dict[str, msgspec.Raw]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (msgspec.json.encode(key), bytes(value)) for key, value in parts.items())
