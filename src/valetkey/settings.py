"""What an operator may set: few things, each with a sentence and a safe default.

Command line wins, then `VALETKEY_*` in the environment, then `valetkey.toml` in the data directory.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from valetkey.kernel.errors import StartRefused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one hub, checked. Make one with `load_settings`."""

    data: Path
    """Directory for the databases, journal and control socket (0700)."""
    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs an https `public_url`."""
    port: int = 8484
    """Port for all doors; 0 takes a free one."""
    public_url: str = ""
    """Where people and assistants reach the hub, without a path; also the OAuth issuer. Default http://localhost:PORT."""
    database: str = ""
    """URL of the main database. Default SQLite in `data`."""
    keyring_database: str = ""
    """URL of the keyring database, which wants its own backup policy. Default SQLite in `data`."""
    root_key: str = ""
    """The root key: a file's path, or SCHEME:… (docs/vault.md). Default ~/.config/valetkey/<deployment id>/root.key."""
    former_root_key: str = ""
    """The root key before, in the same words, until nothing hangs on it any more."""
    allow_network: tuple[Network, ...] = ()
    """Private networks that connectors may be in (any port, http too). Never the hub's own listeners."""
    trusted_proxy: tuple[Network, ...] = ()
    """Networks of the reverse proxies in front, whose word on where a request came from counts (X-Forwarded-For)."""
    client_id_url: str = ""
    """Address of our client ID metadata document, where it is served from elsewhere. Default below `public_url`."""
    client_id_reachable: bool = True
    """False when services cannot fetch documents from `public_url`, so that registration is used instead."""
    pinned_clients: tuple[Path, ...] = ()
    """Client ID metadata documents (JSON files) of assistants, for hubs that cannot fetch them."""
    trail_sink: tuple[str, ...] = ()
    """Where signed checkpoints of the trail are sent, off this host: file:, syslog:, s3: or git+https: addresses."""
    search_above: int = 80
    """Tools beyond which `/mcp` and profiles offer assistants a search instead of the whole list."""

    development: bool = False
    """Serves every component of the pages in every state on /_components, for whoever works on them."""

    @property
    def is_public(self) -> bool:
        """Whether people reach the hub over https."""
        return self.public_url.startswith("https://")

    @property
    def public_host(self) -> str:
        """Host and, if not the default, port, as it stands in a `Host` header."""
        return urlsplit(self.public_url).netloc


_MULTIPLE = {"allow_network", "trusted_proxy", "pinned_clients", "trail_sink"}


def load_settings(flags: Mapping[str, object], *, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from command line `flags` (names as in `Settings`; `None` or empty = not given), environment and file.

    Raises `StartRefused` naming the setting at fault.
    """
    given: dict[str, object] = {name: value for name, value in flags.items() if value not in (None, (), "")}
    names = {field.name for field in fields(Settings)}
    for name in names - given.keys():
        if from_environment := environment.get(f"VALETKEY_{name.upper()}"):
            given[name] = from_environment.split(",") if name in _MULTIPLE else from_environment
    data = Path(str(given.get("data") or Path.home() / ".local/share/valetkey")).expanduser().absolute()
    for name, value in _read_file(data / "valetkey.toml", names).items():
        given.setdefault(name, value)
    return _checked({**given, "data": data})


def _read_file(path: Path, names: set[str]) -> dict[str, object]:
    try:
        content = tomllib.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):  # no such file; what else is wrong with the place is said later
        return {}
    except PermissionError as error:
        raise StartRefused(f"{path} cannot be read.", hint="Give the hub's user read access to it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartRefused(f"{path} is not valid TOML.", hint=str(error)) from error
    if unknown := sorted(content.keys() - names):
        raise StartRefused(f"{path} has an unknown setting: {unknown[0]}.", hint="See `valetkey serve --help`.")
    return content


def _checked(given: dict[str, object]) -> Settings:
    values = dict(given)
    if "search_above" in values:
        values["search_above"] = _count("search_above", values["search_above"])
    if "port" in values:
        values["port"] = _port(values["port"])
    for name in ("allow_network", "trusted_proxy"):
        values[name] = tuple(_network(name, text) for text in _many(values, name))
    values["pinned_clients"] = tuple(Path(str(path)).expanduser() for path in _many(values, "pinned_clients"))
    values["trail_sink"] = tuple(str(address) for address in _many(values, "trail_sink"))
    for name in ("client_id_reachable", "development"):
        if isinstance(said := values.get(name), str):
            values[name] = said.lower() not in ("0", "false", "no", "off")
    for name in ("root_key", "former_root_key"):
        values[name] = str(values.get(name) or "")
    settings = Settings(**values)  # type: ignore[arg-type]  # each value was checked or converted above
    public_url = _public_url(settings.public_url) if settings.public_url else f"http://localhost:{settings.port}"
    if settings.host not in _LOOPBACK_NAMES and not public_url.startswith("https://"):
        raise StartRefused(
            f"Listening on {settings.host} needs an https public URL.",
            hint="Give --public-url https://… (a reverse proxy terminates TLS), or listen on 127.0.0.1.",
        )
    return Settings(**{**{f.name: getattr(settings, f.name) for f in fields(settings)}, "public_url": public_url})


def _many(values: dict[str, object], name: str) -> list[object]:
    value = values.get(name, ())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _count(name: str, value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise StartRefused(f"{name} is {text!r}, which is no number.", hint="Give a whole number, 0 or more.")
    return int(text)


def _port(value: object) -> int:
    try:
        port = int(str(value))
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise StartRefused(f"The port {value!r} is not a number from 0 to 65535.", hint="Give --port 8484, say.")
    return port


def _network(name: str, value: object) -> Network:
    try:
        return ipaddress.ip_network(str(value).strip())
    except ValueError as error:
        raise StartRefused(
            f"--{name.replace('_', '-')} {value!s} is not a network in CIDR form.",
            hint="Write 10.1.0.0/16 or 127.0.0.1/32.",
        ) from error


def _public_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise StartRefused(
            f"The public URL {text!r} is not an http or https URL.", hint="Write https://hub.example.com"
        )
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise StartRefused(
            f"The public URL {text!r} has a path.", hint="Valetkey needs an origin of its own: give it a host name."
        )
    host = parts.hostname.lower()
    if parts.scheme == "http" and host not in _LOOPBACK_NAMES:
        raise StartRefused(f"The public URL {text!r} is not https.", hint="Only localhost may be plain http.")
    default = {"http": 80, "https": 443}[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, default) else "")
