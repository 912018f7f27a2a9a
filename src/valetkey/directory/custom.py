"""What a person may enter when they add a connector of their own: its name, and how it is signed in to.

Everything here is said about a stranger's server by whoever adds it, so a name cannot imitate by invisible characters,
and a header cannot be one by which requests are routed, framed or attributed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from valetkey.directory.model import ORGANIZATION, AuthKind
from valetkey.kernel.errors import BadInput, printable
from valetkey.kernel.ids import random_suffix

CLIENTS: Final = ("document", "register")
"""How we are known at an authorization server, where somebody says it: by our document, or registered there."""
TRANSPORT: Final = "streamable-http"
"""How services are spoken to. MCP's first transport, HTTP+SSE, is refused by name: two years out of the revisions."""
NAME_LIMIT = 100
HEADER_LIMIT = 4
_SLUG_BASE = 17  # with the hyphen and 6 random characters: 24
_SUFFIX = 6
_URL_LIMIT = 2048

# Drawn as nothing, though Unicode does not call them control or format characters.
_DRAWN_AS_NOTHING = frozenset(
    chr(code)
    for code in (
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    )
)

# Names under which services take a credential (CUS-02). Any other needs an approval, which does not exist yet.
CREDENTIAL_HEADERS: Final = frozenset(
    {
        "api-key", "apikey", "authorization", "cf-access-client-id", "cf-access-client-secret", "dd-api-key",
        "dd-application-key", "ocp-apim-subscription-key", "private-token", "x-access-token", "x-api-key",
        "x-api-token", "x-apikey", "x-app-key", "x-auth-key", "x-auth-token", "x-figma-token", "x-functions-key",
        "x-goog-api-key", "x-secret-key", "x-shopify-access-token", "x-subscription-token", "x-token", "x-vault-token",
    }
)  # fmt: skip
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")  # RFC 9110 5.6.2 token

_FACTS: Mapping[AuthKind, frozenset[str]] = {
    "oauth": frozenset({"client", "client_id", "scope", "no_scope_fallback", "headers", "optional_headers"}),
    "header": frozenset({"headers", "optional_headers", "identity"}),
    "none": frozenset(),
}


def read_name(text: object, *, field: str = "name") -> str:
    """A name that people will see: 1 to 100 visible characters, white space around it removed.

    Raises `BadInput` on control, format and other invisible characters, which could make one name look like another.
    """
    if not isinstance(text, str):
        raise BadInput("The name is not a text.", field=field)
    name = text.strip(" ")
    if not 1 <= len(name) <= NAME_LIMIT:
        raise BadInput(f"The name must have 1 to {NAME_LIMIT} characters.", field=field)
    for char in name:
        if not char.isprintable() or char in _DRAWN_AS_NOTHING:
            raise BadInput(
                f"The name has a character that cannot be seen (U+{ord(char):04X}).",
                field=field,
                hint="Type the name instead of pasting it.",
            )
    return name


def read_url(text: object) -> str:
    """The endpoint as text, bounded; whether it is a URL we go to is for the strict parser to say."""
    if not isinstance(text, str) or not 1 <= len(text) <= _URL_LIMIT:
        raise BadInput(f"The URL must be a text of 1 to {_URL_LIMIT} characters.", field="url")
    return text


def check_transport(text: object) -> None:
    """Raises `BadInput` for a transport that is not spoken here (CUS-01), instead of a failure when one connects."""
    if text != TRANSPORT:
        raise BadInput(
            f"Services are spoken to over {TRANSPORT}, and not over {printable(str(text), limit=40)}.",
            field="transport",
            hint="Most services that began with SSE have a Streamable HTTP address, too; it often ends in /mcp.",
        )


def read_auth(kind: object, facts: object) -> tuple[AuthKind, dict[str, Any]]:
    """How the connector is signed in to, checked: the kind, and facts as in `Connector.auth`. Raises `BadInput`."""
    if kind not in ("oauth", "header", "none"):
        raise BadInput(
            "How to sign in must be one of oauth, header and none.",
            field="auth_kind",
            hint="Most services with a sign-in page are oauth.",
        )
    known: AuthKind = kind
    if not isinstance(facts, Mapping):
        raise BadInput("The facts about signing in are not an object.", field="auth")
    for name in facts:
        if name not in _FACTS[known]:
            raise BadInput(f"{printable(name, limit=60)} is not known for {known} connectors.", field="auth")
    checked: dict[str, Any] = {}
    for name in ("client_id", "scope"):
        if name in facts:
            checked[name] = _visible_ascii(facts[name], field=f"auth.{name}", spaces=name == "scope")
    if "no_scope_fallback" in facts:
        if not isinstance(facts["no_scope_fallback"], bool):
            raise BadInput("no_scope_fallback is true or false.", field="auth.no_scope_fallback")
        checked["no_scope_fallback"] = facts["no_scope_fallback"]
    if "client" in facts:
        if facts["client"] not in CLIENTS:
            raise BadInput("client is one of document and register, or not there.", field="auth.client")
        if facts.get("client_id"):
            raise BadInput("With a client id of your own nothing is registered.", field="auth.client")
        checked["client"] = facts["client"]
    if "identity" in facts:
        if facts["identity"] != ORGANIZATION:
            raise BadInput(f"identity is {ORGANIZATION}, or it is not there.", field="auth.identity")
        checked["identity"] = ORGANIZATION  # CUS-04
    checked.update(_headers(known, facts))
    return known, checked


def _visible_ascii(value: object, *, field: str, spaces: bool) -> str:
    # RFC 6749 appendix A: client_id and scope tokens are visible ASCII, scopes separated by spaces.
    lowest = 0x20 if spaces else 0x21
    if not isinstance(value, str) or not 1 <= len(value) <= _URL_LIMIT:
        raise BadInput(f"{field} must be a text of 1 to {_URL_LIMIT} characters.", field=field)
    if any(not lowest <= ord(char) <= 0x7E for char in value):
        raise BadInput(f"{field} has a character that cannot stand there.", field=field)
    return value


def _headers(kind: AuthKind, facts: Mapping[str, Any]) -> dict[str, list[str]]:
    required = _header_names(facts.get("headers", ()), field="auth.headers")
    optional = _header_names(facts.get("optional_headers", ()), field="auth.optional_headers")
    together = [name.lower() for name in (*required, *optional)]
    if kind == "header" and not required:
        raise BadInput("A connector with a key needs the name of at least one header.", field="auth.headers")
    if len(together) > HEADER_LIMIT:
        raise BadInput(f"There can be at most {HEADER_LIMIT} request headers.", field="auth.headers")
    if len(set(together)) != len(together):
        raise BadInput("A request header is named twice.", field="auth.headers")
    if kind == "oauth" and "authorization" in together:
        # CUS-03: the token that the person's sign-in gave goes there, and nothing may stand in for it.
        raise BadInput("Authorization cannot be set beside OAuth.", field="auth.headers")
    named = {"headers": required, "optional_headers": optional}
    return {name: values for name, values in named.items() if values}


def _header_names(value: object, *, field: str) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise BadInput("The request headers are not a list of names.", field=field)
    for name in value:
        if not isinstance(name, str) or not _HEADER_NAME.match(name):
            raise BadInput("A request header's name is not one that HTTP allows.", field=field)
        if name.lower() not in CREDENTIAL_HEADERS:
            raise BadInput(
                f"{printable(name, limit=64)} is not a header that services take a key in.",
                field=field,
                hint="Known are, among others, Authorization, X-API-Key, Api-Key and X-Auth-Token.",
            )
    return list(value)


def new_slug(name: str, *, host: str) -> str:
    """A slug from the name, or else the host: `[a-z0-9-]{1,24}`, ending in a hyphen and 6 random characters.

    The random end keeps a custom connector from standing where a listed one would be looked for.
    """
    base = _slug_part(name) or _slug_part(host.removeprefix("www.").removeprefix("mcp.")) or "custom"
    return f"{base}-{random_suffix(_SUFFIX)}"


def _slug_part(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_BASE].strip("-")
