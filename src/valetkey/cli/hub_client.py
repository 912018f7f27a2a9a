"""How commands reach a running hub: over its control socket, or by URL with a token.

The control socket is a unix socket in the data directory. A URL is dialed by `net`, like everything that leaves, and
the token writes itself into the outgoing bytes.
"""

from __future__ import annotations

import functools
import http.client
import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

import click

from valetkey.kernel.errors import ValetkeyError, printable

if TYPE_CHECKING:
    from valetkey.kernel.secret import Secret

F = TypeVar("F", bound=Callable[..., Any])

TOKEN_VARIABLE = "VALETKEY_TOKEN"  # noqa: S105 – the name of a variable
_BASE = "/api/v1"
_SECONDS = 300.0  # a tool call may take 240
_SOCKET = "control.sock"
_MOST = 200  # of a list at once
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NoHub(ValetkeyError):
    """The hub does not answer."""

    code = "no_hub"


class HubRefused(ValetkeyError):
    """The hub answered with a problem; message and hint are the hub's."""

    code = "hub_refused"

    def __init__(self, message: str, *, status: int, code: str, hint: str = "", page: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.problem = code
        self.page = page


class Sends(Protocol):
    """One request and its answer: status and body."""

    def __call__(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]: ...


class Hub:
    """A running hub's API. Paths are below `/api/v1`; answers are JSON, `None` for an empty one."""

    def __init__(self, send: Sends) -> None:
        self._send = send

    def get(self, path: str, **query: object) -> Any:
        return self._ask("GET", path, query, None)

    def all(self, path: str, **query: object) -> dict[str, list[Any]]:
        """A list from its first page to its last, as one."""
        items: list[Any] = []
        cursor = ""
        while True:
            found = self.get(path, **query, limit=_MOST, cursor=cursor)
            items += found["items"]
            cursor = found["next"]
            if not cursor:
                return {"items": items}

    def post(self, path: str, body: Mapping[str, Any] | None = None, **query: object) -> Any:
        return self._ask("POST", path, query, {} if body is None else body)

    def patch(self, path: str, body: Mapping[str, Any], **query: object) -> Any:
        return self._ask("PATCH", path, query, body)

    def put(self, path: str, body: Mapping[str, Any], **query: object) -> Any:
        return self._ask("PUT", path, query, body)

    def delete(self, path: str, **query: object) -> Any:
        return self._ask("DELETE", path, query, None)

    def _ask(self, method: str, path: str, query: Mapping[str, object], body: Mapping[str, Any] | None) -> Any:
        """Raises `NoHub`, `HubRefused`. Empty values of `query` are left out."""
        given = {name: str(value) for name, value in query.items() if value not in ("", None)}
        target = _BASE + path + (f"?{urlencode(given)}" if given else "")
        status, answer = self._send(method, target, None if body is None else json.dumps(body).encode())
        try:
            value = json.loads(answer) if answer else None
        except ValueError as error:
            raise NoHub("What answered is not a Valetkey hub.", hint="Check --url.") from error
        if status >= 400:
            raise _refused(status, value)
        return value


def part(text: str) -> str:
    """A piece of a path, from outside."""
    return quote(text, safe="")


def _refused(status: int, problem: Any) -> HubRefused:
    told = problem if isinstance(problem, dict) else {}
    return HubRefused(
        printable(told.get("detail") or f"The hub answered with status {status}.", limit=500),
        status=status,
        code=printable(told.get("code", ""), limit=60),
        hint=printable(told.get("hint", ""), limit=500),
        page=printable(told.get("page", ""), limit=500),
    )


def hub_options(command: F) -> F:
    """The options that say which hub is meant; the command gets it as `hub`. Put it next to the function."""

    @click.option(
        "--url",
        "hub_url",
        envvar="VALETKEY_URL",
        default="",
        metavar="URL",
        help="A hub elsewhere; needs VALETKEY_TOKEN.",
    )
    @click.option(
        "--data",
        "hub_data",
        envvar="VALETKEY_DATA",
        default="",
        metavar="DIR",
        help="Data directory of a hub on this host.",
    )
    @click.pass_context
    def with_hub(ctx: click.Context, /, hub_url: str, hub_data: str, **given: Any) -> Any:
        return ctx.invoke(command, hub=open_hub(url=hub_url, data=hub_data), **given)

    return functools.update_wrapper(with_hub, command)  # type: ignore[return-value]  # click calls it by its options


def open_hub(*, url: str, data: str) -> Hub:
    """The hub at `url`, or else the one whose data directory is `data`. Nothing is contacted yet."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if token and not _TOKEN.fullmatch(token):  # else an error further down could quote it
        raise click.UsageError(f"{TOKEN_VARIABLE} does not hold a token: it has a space or another odd character.")
    if url:
        if not token:
            raise click.UsageError(f"A hub elsewhere needs a token: set {TOKEN_VARIABLE} to one made for /api/v1.")
        from valetkey.kernel.secret import Secret

        return Hub(_ByUrl(url, Secret(token)))
    return Hub(_BySocket(data_directory(data) / _SOCKET, token))


def data_directory(given: str) -> Path:
    """The data directory that `--data` or VALETKEY_DATA names, or the default one."""
    return (Path(given) if given else Path.home() / ".local/share/valetkey").expanduser().absolute()


class _BySocket:
    """The control socket. With a token it speaks for that token's person, without one for the operator."""

    def __init__(self, path: Path, token: str) -> None:
        self._path = path
        self._token = token

    def __call__(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        headers = {"content-type": "application/json"} if body is not None else {}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        connection = _UnixConnection(self._path)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except PermissionError as error:
            raise NoHub(
                f"You may not open {self._path}.", hint="Run this as the hub's user, or use --url with a token."
            ) from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NoHub(
                f"No hub is running with its data in {self._path.parent}.",
                hint="Start it with `valetkey serve`, or say where it is with --data or --url.",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise NoHub("The hub did not answer.", hint="`valetkey doctor` looks into it.") from error
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(str(self._path))


class _ByUrl:
    """A hub elsewhere: https, or http on this machine."""

    def __init__(self, url: str, token: Secret) -> None:
        self._url = url.rstrip("/")
        self._token = token

    def __call__(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        import asyncio

        return asyncio.run(self._send(method, path, body))

    async def _send(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        from ipaddress import ip_network

        from valetkey.kernel.clock import SystemClock
        from valetkey.net.address_policy import AddressPolicy
        from valetkey.net.outbound import open_outbound
        from valetkey.net.url import parse_url

        url = parse_url(self._url + path, what="--url", private_names=True)
        if url.scheme != "https" and url.host not in _LOOPBACK:
            raise click.UsageError("The URL is not https: the token would be readable on the way.")
        # Whoever runs this command chose the address; a hub may well be in a private network.
        outbound = open_outbound(AddressPolicy(allow=(ip_network("0.0.0.0/0"), ip_network("::/0"))), SystemClock())
        headers = [(b"accept", b"application/json")]
        if body is not None:
            headers.append((b"content-type", b"application/json"))
        try:
            answer = await outbound.calls.post(
                url, headers, body or b"", credential=_Bearer(url.origin, self._token), pool="hub", method=method
            )
            return answer.status, answer.body
        finally:
            await outbound.close()


class _Bearer:
    """A token as the credential that `net` lets write itself."""

    def __init__(self, origin: str, token: Secret) -> None:
        self.origin = origin
        self._token = token

    @property
    def size(self) -> int:
        return len(b"authorization: Bearer \r\n") + len(self._token)

    def write_into(self, buffer: memoryview) -> None:
        # The user's own token, from their own environment, on its way to the hub that issued it.
        buffer[:] = b"authorization: Bearer " + self._token.reveal() + b"\r\n"

    def masked(self, data: bytes) -> bytes:
        """What the hub says is for whoever's token this is."""
        return data

    @property
    def longest(self) -> int:
        return 0
