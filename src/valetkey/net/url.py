"""The one URL parser: strict, so that no two readers can understand a URL differently.

`getaddrinfo` takes `2130706433`, `0x7f.1` or `127。0。0。1` for loopback while other parsers see a name (security.md
4.1): what is not written canonically is refused, never repaired. Messages name the fault and never show the URL, which
may carry a secret (CON-03).
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote

import idna

from valetkey.kernel.errors import BadInput
from valetkey.net.model import Url

MAX_LENGTH = 4096

_SHAPE = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?"
)
_DEFAULT_PORT = {"http": 80, "https": 443}
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# RFC 3986: what may stand in a path or a query as it is. No quotes, brackets, backslash, caret, bar, space.
_PATH = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*")
_QUERY = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%\[\]]*")
# Full stops that IDNA would take for a dot, and others would not.
_ODD_DOTS = frozenset("\u3002\uff0e\uff61")

PRIVATE_SUFFIXES = ("local", "internal", "localhost", "onion", "home.arpa", "localdomain", "lan", "intranet", "corp")
"""Names that never mean a public server (RFC 6761, 6762, 8375 and ICANN's reserved `internal`)."""

_CREDENTIAL_NAMES = frozenset(
    {
        "apikey", "xapikey", "key", "accesskey", "secretkey", "privatekey", "authkey", "subscriptionkey", "token",
        "accesstoken", "refreshtoken", "idtoken", "authtoken", "bearertoken", "apitoken", "sessiontoken", "xtoken",
        "pat", "auth", "authorization", "bearer", "jwt", "secret", "clientsecret", "apisecret", "password", "passwd",
        "pwd", "pass", "credential", "credentials", "session", "sessionid", "sig", "signature",
    }
)  # fmt: skip
# Values that are keys whatever they are called: well-known prefixes, and anything shaped like a JWT.
_CREDENTIAL_VALUE = re.compile(
    r"(?:gh[opusr]_|github_pat_|glpat-|xox[abeoprs]-|sk-|sk_live_|rk_live_|vk[art]_|AKIA|AIza|eyJ[\w-]{8,}\.eyJ)[\w.-]{8,}"
)


def parse_url(text: str, *, what: str = "URL", credentials_in_query: bool = False, private_names: bool = False) -> Url:
    """An http or https URL, checked in every part; `what` names it in the error, as the sender knows it.

    `credentials_in_query` admits secrets in the query, for addresses that are not stored or shown. `private_names`
    admits single-label names and those in `PRIVATE_SUFFIXES`, where the operator opened a private network; whether the
    address behind the name may be dialed is still the dialer's question. Raises `BadInput`.
    """
    if not text:
        raise BadInput(f"The {what} is empty.", field=what, hint="Write https://host/path.")
    if len(text) > MAX_LENGTH:
        raise BadInput(f"The {what} is longer than {MAX_LENGTH} characters.", field=what)
    if text[:1].isspace() or text[-1:].isspace():  # CUS-13
        raise BadInput(
            f"The {what} begins or ends with white space.",
            field=what,
            hint="Copy it again, without the space or the line break around it.",
        )
    if any(char <= " " or char == "\x7f" or char == "\\" or "\x80" <= char <= "\xa0" for char in text):
        raise BadInput(f"The {what} holds a space, a control character or a backslash.", field=what)
    if "#" in text:
        raise BadInput(f"The {what} has a fragment (“#…”).", field=what, hint="Leave it out.")
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise BadInput(f"The {what} is not a URL.", field=what, hint="Write https://host/path.")
    scheme = shape["scheme"].lower()
    if scheme not in _DEFAULT_PORT:
        raise BadInput(f"The {what} is neither https nor http.", field=what, hint="Write https://host/path.")
    host, port = _authority(shape["authority"], _DEFAULT_PORT[scheme], what)
    if not private_names:
        _refuse_private_name(host, what)
    path, query = shape["path"], shape["query"] or ""
    _check_path(path, query, what)
    if not credentials_in_query:
        _refuse_credentials(path, query, what)
    return Url(text=text, scheme=scheme, host=host, port=port, path=path, query=query)


def is_same_origin(one: Url, other: Url) -> bool:
    """Scheme, host and port are equal (RFC 6454)."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def is_address(host: str) -> bool:
    """Whether a parsed host is an IP address rather than a name."""
    return ":" in host or _IPV4.fullmatch(host) is not None


def is_private_name(host: str) -> bool:
    """Whether a parsed host is a name that never means a public server."""
    if is_address(host):
        return False
    return "." not in host or any(host.endswith("." + suffix) for suffix in PRIVATE_SUFFIXES)


def _authority(authority: str, default_port: int, what: str) -> tuple[str, int]:
    if "@" in authority:
        raise BadInput(f"The {what} carries a user name or password.", field=what, hint="Leave out what is before “@”.")
    if "%" in authority:
        raise BadInput(f"The host of the {what} has an escape or a zone id (“%…”).", field=what)
    if authority.startswith("["):
        literal, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadInput(f"The host of the {what} has an unclosed bracket.", field=what)
        return _ipv6(literal, what), _port(rest[1:], default_port, what) if rest else default_port
    host, colon, port = authority.partition(":")
    return _host(host, what), _port(port, default_port, what) if colon else default_port


def _port(text: str, default: int, what: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise BadInput(f"The port of the {what} is not a number from 1 to 65535.", field=what, hint=f"E.g. {default}.")
    return int(text)


def _ipv6(literal: str, what: str) -> str:
    try:
        return str(ipaddress.IPv6Address(literal))
    except ValueError as error:
        raise BadInput(f"The host of the {what} is not an IPv6 address.", field=what) from error


def _host(host: str, what: str) -> str:
    """A name in ASCII (A-labels, lower case), or a dotted quad."""
    if not host:
        raise BadInput(f"The {what} has no host.", field=what, hint="Write https://host/path.")
    if _IPV4.fullmatch(host):
        return host
    name = host.lower()
    if not name.isascii():
        name = _to_ascii(name, what)
    labels = name.split(".")
    if _NUMERIC.fullmatch(labels[-1] or labels[-2 if len(labels) > 1 else 0]):
        # A host that ends in a number is an address to some readers (WHATWG URL, “ends in a number”).
        raise BadInput(f"The host of the {what} is a number but no plain IPv4 address.", field=what)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadInput(f"The host of the {what} is not a valid name.", field=what)
    if any(label[2:4] == "--" for label in labels):
        _check_alabels(labels, what)
    return name


def _to_ascii(name: str, what: str) -> str:
    # IDNA 2008 without the UTS 46 mapping: `①②⑦` and `ｅｘａｍｐｌｅ` are refused, not turned into something.
    try:
        if any(char in _ODD_DOTS for char in name):
            raise BadInput(f"The host of the {what} has a full stop that is not a dot.", field=what)
        return ".".join(idna.alabel(label).decode("ascii") for label in name.split("."))
    except (idna.IDNAError, UnicodeError) as error:
        raise BadInput(f"The host of the {what} is not a valid international name.", field=what) from error


def _check_alabels(labels: list[str], what: str) -> None:
    try:
        for label in labels:
            if label[2:4] == "--":
                idna.ulabel(label)
    except (idna.IDNAError, UnicodeError) as error:
        raise BadInput(f"The host of the {what} is not a valid international name.", field=what) from error


def _refuse_private_name(host: str, what: str) -> None:
    if host == "localhost" or not is_private_name(host):
        return
    if "." not in host:
        raise BadInput(f"The host of the {what} is a single word.", field=what, hint="Write its full name.")
    raise BadInput(f"The host of the {what} is a private name.", field=what, hint="Write its public name or address.")


def _check_path(path: str, query: str, what: str) -> None:
    if not _PATH.fullmatch(path) or not _QUERY.fullmatch(query):
        raise BadInput(f"The {what} holds a character that must be percent-encoded.", field=what)
    if _BAD_ESCAPE.search(path) or _BAD_ESCAPE.search(query):
        raise BadInput(f"The {what} holds a “%” that is not followed by two hex digits.", field=what)
    decoded = unquote(path)
    if any(segment in (".", "..") for segment in re.split(r"[/\\]", decoded)):
        # One reader resolves them, another does not: the path that was agreed to would not be the path that is asked.
        raise BadInput(f"The {what} has “.” or “..” in its path.", field=what)
    if any(ord(char) < 32 or char == "\x7f" for char in decoded + unquote(query)):
        raise BadInput(f"The {what} holds an encoded control character.", field=what)


def _refuse_credentials(path: str, query: str, what: str) -> None:
    parameters = [*re.split("[&;]", query), *path.split(";")[1:]]
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        bare = re.sub("[^a-z]", "", unquote(name).lower())
        # Only a name out of our own table is shown: an unknown one may be the secret itself.
        if (
            bare in _CREDENTIAL_NAMES
            or _CREDENTIAL_VALUE.match(unquote(value))
            or _CREDENTIAL_VALUE.match(unquote(name))
        ):
            shown = f"“{bare}”" if bare in _CREDENTIAL_NAMES else "a key or token"
            raise BadInput(
                f"The {what} carries a credential ({shown}).",
                field=what,
                hint="Leave it out of the URL; give it as a header, which is kept sealed.",
            )
