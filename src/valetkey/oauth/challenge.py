"""Reading `WWW-Authenticate` (RFC 9110 11.6.1): several challenges in one value, quoted strings, escapes.

What a regular expression over the whole value finds may stand in another challenge, or inside a quoted string that a
hostile server chose; so this is a parser. It is lenient where the field is (values that should be quoted, parameters
without a comma between them) and never raises: what cannot be read is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_LONGEST = 16 * 1024
_SEPARATORS = re.compile(r"[ \t,]*")
_BLANKS = re.compile(r"[ \t]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_BARE = re.compile(r"[^ \t,\"]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: its scheme and the names of its parameters in lower case. `token68` instead of parameters."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    token68: str = ""

    @property
    def error(self) -> str:
        return self.parameters.get("error", "")

    @property
    def scope(self) -> str:
        return self.parameters.get("scope", "")

    @property
    def resource_metadata(self) -> str:
        return self.parameters.get("resource_metadata", "")


NO_CHALLENGE = Challenge("")
"""A 401 that says nothing of use."""


def parse_www_authenticate(value: str) -> tuple[Challenge, ...]:
    """The challenges in a header value, in order. Several headers are first joined by `, `."""
    if len(value) > _LONGEST:
        return ()
    found: list[Challenge] = []
    position = _SEPARATORS.match(value).end()  # type: ignore[union-attr]  # matches the empty string too
    while position < len(value):
        token = _TOKEN.match(value, position)
        if token is None:
            break
        equals = _EQUALS.match(value, token.end())
        if equals is not None and found and not found[-1].token68:
            text, position = _read_value(value, equals.end())
            if text is None:
                break
            parameters = found[-1].parameters
            assert isinstance(parameters, dict)
            parameters.setdefault(token[0].lower(), text)  # a name may occur once; the first counts
        else:
            challenge, position = _read_scheme(value, token)
            found.append(challenge)
        position = _SEPARATORS.match(value, position).end()  # type: ignore[union-attr]  # as above
    return tuple(found)


def bearer(challenges: tuple[Challenge, ...]) -> Challenge:
    """The challenge that tells how to authorize: the first `Bearer` with parameters, else the first `Bearer`."""
    bearers = [challenge for challenge in challenges if challenge.scheme == "bearer"]
    return next((challenge for challenge in bearers if challenge.parameters), next(iter(bearers), NO_CHALLENGE))


def _read_scheme(value: str, token: re.Match[str]) -> tuple[Challenge, int]:
    after = _BLANKS.match(value, token.end()).end()  # type: ignore[union-attr]  # as above
    token68 = _TOKEN68.match(value, after) if after > token.end() else None
    if token68 is None:
        return Challenge(token[0].lower(), {}), after
    return Challenge(token[0].lower(), {}, token68[0]), token68.end()


def _read_value(value: str, start: int) -> tuple[str | None, int]:
    quoted = _QUOTED.match(value, start)
    if quoted is not None:
        return _ESCAPED.sub(r"\1", quoted[1]), quoted.end()
    bare = _BARE.match(value, start)
    # An unterminated quoted string, or nothing at all: whatever follows cannot be told apart any more.
    return (bare[0], bare.end()) if bare is not None else (None, start)
