"""What an operator may set: few things, each with a sentence and a safe default.

Command line wins, then `VALETKEY_*` in the environment, then `valetkey.toml` in the data directory.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from valetkey.kernel.errors import StartRefused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class LocalProgram:
    """An MCP server that is a program on this host. `environment` is all it finds there; no shell reads `command`."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


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
    migration_database: str = ""
    """URL of the main database for the role that owns its tables. The hub migrates as it, and runs as the role of
    `database` behind row-level security (docs/postgresql.md). PostgreSQL only."""
    migration_keyring_database: str = ""
    """The same for the keyring database."""
    root_key: str = ""
    """The root key: a file's path, or SCHEME:… (docs/vault.md). Default ~/.config/valetkey/<deployment id>/root.key."""
    former_root_key: str = ""
    """The root key before, in the same words, until nothing hangs on it any more."""
    vault: str = "inline"
    """`inline`: keys in the hub's own process. `process`: vault and dialer each in one of its own (docs/vault.md).
    Default inline, and process with PostgreSQL."""
    workers: int = 1
    """Processes that serve requests. One, for now."""
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
    mail_server: str = ""
    """Where letters about what waits are handed in: smtps://[user@]host[:465] or smtp://, in an opened network."""
    mail_from: str = ""
    """The address that such letters come from. Needed with `mail_server`."""
    mail_password_file: str = ""
    """File with the password of the mail server's user, readable by the hub's user alone."""
    local_servers: tuple[LocalProgram, ...] = ()
    """Programs on this host that people may connect; only in valetkey.toml: each a command, and variables to pass."""
    registry: str = ""
    """Address of an MCP registry whose servers the directory's search finds; read once a day. Default none."""
    rescan: str = "published"
    """Which listings the hub visits once a day by itself, as somebody unknown: `published` by its own desk, `all` with
    those that come with it, or `off`."""
    search_above: int = 80
    """Tools beyond which `/mcp` and profiles offer assistants a search instead of the whole list."""
    keep_contents: int = 30
    """Days for which what calls sent and got can be opened by their person; then its keys are destroyed, for good."""
    keep_calls: int = 365
    """Days for which the records of calls are kept. No fewer than `keep_contents`."""
    keep_at_most: int = 2190
    """Days beyond which an organization's owner cannot have either kept. No fewer than `keep_calls`."""

    privacy_policy: str = ""
    """What people are told becomes of their data: a text file, or `template` to make the built-in one the operator's.
    Until there is a policy, from here or from the page /privacy, nothing can be connected."""

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


_IN_FILE_ONLY = "local_servers"
"""What starts programs is said in a file of the operator's on this host, never in an address, a page or a variable."""
_LOCAL_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,16}[a-z0-9])?")
_MOST_DAYS = 2190  # six years
_MULTIPLE = {"allow_network", "trusted_proxy", "pinned_clients", "trail_sink"}


def load_settings(flags: Mapping[str, object], *, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from command line `flags` (names as in `Settings`; `None` or empty = not given), environment and file.

    Raises `StartRefused` naming the setting at fault.
    """
    _refuse_consent(environment)
    given: dict[str, object] = {name: value for name, value in flags.items() if value not in (None, (), "")}
    names = {field.name for field in fields(Settings)}
    given.pop(_IN_FILE_ONLY, None)
    for name in names - given.keys() - {_IN_FILE_ONLY}:
        if from_environment := environment.get(f"VALETKEY_{name.upper()}"):
            given[name] = from_environment.split(",") if name in _MULTIPLE else from_environment
    data = Path(str(given.get("data") or Path.home() / ".local/share/valetkey")).expanduser().absolute()
    for name, value in _read_file(data / "valetkey.toml", names).items():
        given.setdefault(name, value)
    given[_IN_FILE_ONLY] = _local_servers(given.get(_IN_FILE_ONLY, {}), environment)
    return _checked({**given, "data": data})


def _refuse_consent(environment: Mapping[str, str]) -> None:
    """What means to allow training is refused rather than passed over: whoever set it would believe that it holds."""
    for name in sorted(environment):
        if name.startswith("VALETKEY_") and ("TRAINING" in name or "CONSENT" in name):
            raise StartRefused(
                f"{name} is no setting: nothing allows training but a person's own yes.", hint="Take it out."
            )


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
    for name in ("keep_contents", "keep_calls", "keep_at_most"):
        if name in values:
            values[name] = _days(name, values[name])
    if "port" in values:
        values["port"] = _port(values["port"])
    for name in ("allow_network", "trusted_proxy"):
        values[name] = tuple(_network(name, text) for text in _many(values, name))
    values["pinned_clients"] = tuple(Path(str(path)).expanduser() for path in _many(values, "pinned_clients"))
    values["trail_sink"] = tuple(str(address) for address in _many(values, "trail_sink"))
    for name in ("client_id_reachable", "development"):
        if isinstance(said := values.get(name), str):
            values[name] = said.lower() not in ("0", "false", "no", "off")
    for name in ("root_key", "former_root_key", "registry", "mail_server", "mail_from", "mail_password_file"):
        values[name] = str(values.get(name) or "")
    values["rescan"] = _rescan(values.get("rescan") or "published")
    values["vault"] = _vault(values)
    values["workers"] = _workers(values.get("workers", 1))
    settings = Settings(**values)  # type: ignore[arg-type]  # each value was checked or converted above
    if settings.keep_calls < settings.keep_contents:
        raise StartRefused(
            f"Contents of calls are kept {settings.keep_contents} days, and their records {settings.keep_calls}.",
            hint="Set keep_calls to as many days as keep_contents, or more.",
        )
    if settings.keep_at_most < settings.keep_calls:
        raise StartRefused(
            f"Records of calls are kept {settings.keep_calls} days, and organizations may say {settings.keep_at_most}.",
            hint="Set keep_at_most to as many days as keep_calls, or more.",
        )
    public_url = _public_url(settings.public_url) if settings.public_url else f"http://localhost:{settings.port}"
    if settings.host not in _LOOPBACK_NAMES and not public_url.startswith("https://"):
        raise StartRefused(
            f"Listening on {settings.host} needs an https public URL.",
            hint="Give --public-url https://… (a reverse proxy terminates TLS), or listen on 127.0.0.1.",
        )
    return Settings(**{**{f.name: getattr(settings, f.name) for f in fields(settings)}, "public_url": public_url})


def _rescan(value: object) -> str:
    if value not in ("published", "all", "off"):
        raise StartRefused(f"rescan is {str(value)!r}.", hint="Say published, all or off.")
    return str(value)


def _vault(values: Mapping[str, object]) -> str:
    vault = values.get("vault") or ("process" if str(values.get("database", "")).startswith("postgres") else "inline")
    if vault not in ("inline", "process"):
        raise StartRefused(
            f"The vault is {str(vault)!r}, which is no place for one.", hint="Give --vault inline or --vault process."
        )
    return str(vault)


def _workers(value: object) -> int:
    workers = _count("workers", value)
    if workers != 1:
        raise StartRefused(
            f"There is one worker, and {workers} are asked for: more than one are not there yet.",
            hint="Leave --workers out. With PostgreSQL, several hubs can serve side by side.",
        )
    return workers


def _local_servers(given: object, environment: Mapping[str, str]) -> tuple[LocalProgram, ...]:
    if not isinstance(given, Mapping):
        raise StartRefused("local_servers is no table.", hint=_LOCAL_HINT)
    return tuple(_local_server(name, said, environment) for name, said in sorted(given.items()))


_LOCAL_HINT = 'Write [local_servers.time] with command = ["mcp-server-time"] and, if wanted, pass = ["TZ"].'


def _local_server(name: str, said: object, environment: Mapping[str, str]) -> LocalProgram:
    if not _LOCAL_NAME.fullmatch(name):
        raise StartRefused(
            f"The local server {name!r} has a name that cannot stand in an address.",
            hint="Take 1 to 18 of a-z, 0-9 and hyphens.",
        )
    said = said if isinstance(said, Mapping) else {}
    command, passed = said.get("command", ()), said.get("pass", ["PATH", "LANG", "TZ"])
    if said.keys() - {"command", "pass"} or not _are_texts(command) or not command or not _are_texts(passed):
        raise StartRefused(f"The local server {name!r} is not said as it must be.", hint=_LOCAL_HINT)
    if own := [variable for variable in passed if variable.upper().startswith("VALETKEY_")]:
        raise StartRefused(
            f"The local server {name!r} would be given {own[0]}.", hint="What is the hub's own is passed to no program."
        )
    granted = {variable: environment[variable] for variable in passed if variable in environment}
    return LocalProgram(name, tuple(command), granted)


def _are_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(each, str) and each and "\0" not in each for each in value
    )


def _many(values: dict[str, object], name: str) -> list[object]:
    value = values.get(name, ())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _count(name: str, value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise StartRefused(f"{name} is {text!r}, which is no number.", hint="Give a whole number, 0 or more.")
    return int(text)


def _days(name: str, value: object) -> int:
    days = _count(name, value)
    if not 1 <= days <= _MOST_DAYS:
        raise StartRefused(f"{name} is {days} days.", hint=f"Give 1 to {_MOST_DAYS} days.")
    return days


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
