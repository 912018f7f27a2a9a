"""Where a connector may send people: addresses its publisher declared, and nothing that merely looks like one (DIR-13).

A target is an exact https origin, or a scheme of the publisher's own programs, which is their domain backwards (RFC
8252, 7.1), so that nobody claims another's. Declaring one skips no dialog: what a service asks to open is shown with
its whole address first, and opened by the person; of what was not declared that is said.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from valetkey.kernel.errors import BadInput, printable

_HTTPS: Final = re.compile(
    r"https://([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+)(:[1-9][0-9]{0,4})?"
)
_SCHEME: Final = re.compile(r"([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+):")
_WHAT: Final = "It is an origin, as https://example.com, or a scheme of yours, as com.example.notes: with the colon."


def read_target(text: str, *, host: str) -> str:
    """A declared target of the connector at `host`. Raises `BadInput` for what is none, or somebody else's."""
    if _HTTPS.fullmatch(text):
        return text
    scheme = _SCHEME.fullmatch(text)
    if scheme is None:  # no dot, no owner: javascript:, file:, ms-msdt: and what else systems keep for themselves
        raise BadInput(f"{printable(text, limit=80)} is no place to send people to.", field="links", hint=_WHAT)
    own = _owned(host)
    if not f"{scheme[1]}.".startswith(f"{own}."):
        raise BadInput(
            f"The scheme {printable(text, limit=80)} is not named after the domain of the connector.", field="links",
            hint=f"One of {printable(host, limit=80)} begins with {printable(own, limit=80)}.",
        )  # fmt: skip
    return text


def _owned(host: str) -> str:
    """The domain of a host backwards, without the service's own label: nobody claims what all of `co.uk` shares."""
    labels = host.split(".")
    return ".".join(reversed(labels[1:] if len(labels) > 2 else labels))


def is_declared(address: str, targets: Collection[str]) -> bool:
    """Whether `address`, as a browser would read it, is at one of the declared targets, to the letter."""
    if any(ord(char) <= 0x20 or char in "\\" or ord(char) > 0x7E for char in address):
        return False  # browsers drop some of these and turn others into slashes: nobody is to guess which
    scheme = address.partition(":")[0].lower()
    if scheme != "https":
        return f"{scheme}:" in targets and scheme not in ("http", "https")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    if "@" in parts.netloc or not address.lower().startswith("https://"):
        return False
    origin = f"https://{(parts.hostname or '').lower()}{f':{port}' if port not in (None, 443) else ''}"
    return origin in targets
