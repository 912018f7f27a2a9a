"""One short letter to one person, over SMTP (RFC 5321), with TLS from the first byte (RFC 8314) or without any.

There is no STARTTLS: who stands between can keep a connection from being upgraded. Where to is the dialer's question as
for everything else, and mail has no port of its own there: the server is in a network that the operator opened.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from valetkey.kernel.errors import BadInput, OutboundFailed, StartRefused
from valetkey.kernel.secret import Secret
from valetkey.net.dialer import Dials
from valetkey.net.limits import TOKEN, Limits
from valetkey.net.model import TimedOut, Unreachable, Url

_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])?")
_PORTS: Final = {"smtps": 465, "smtp": 25}
_LINE: Final = 1000
_LINES: Final = 100


def is_mail_address(text: str) -> bool:
    """Whether a letter can be sent there: plain ASCII, and nothing that could end a line of the protocol."""
    return _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Letter:
    """Text alone. `id` is what makes it the same letter when it comes twice."""

    sender: str
    to: str
    subject: str
    text: str
    at: datetime
    id: str

    def __bytes__(self) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = self.sender, self.to, self.subject
        message["Date"], message["Message-ID"] = format_datetime(self.at), f"<{self.id}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
        message.set_content(self.text)
        return bytes(message)


class MailRefused(OutboundFailed):
    """The mail server did not take it. What it said is not repeated: it may name the person."""

    code = "mail_refused"

    def __init__(self, host: str, step: str, status: int) -> None:
        super().__init__(f"The mail server {host} refused the letter at {step} ({status}).")
        self.is_for_good = status >= 500


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed in. `url` is https for TLS; without a `user` nobody signs in."""

    url: Url
    user: str = ""
    password: Secret | None = None


def named_server(address: str, password_file: str, *, parse: Callable[..., Url]) -> MailServer:
    """The server that the operator's settings name: `smtps://[user@]host[:465]`, or `smtp://` without TLS, which the
    dialer allows within an opened network alone. Raises `StartRefused`.
    """
    scheme, _, rest = address.partition("://")
    user, _, place = rest.rpartition("@")
    if scheme not in _PORTS or not place or "/" in place or ":" in user:
        raise StartRefused("The mail server is not smtps://[user@]host[:port].", hint="Set VALETKEY_MAIL_SERVER so.")
    if ":" not in place.rpartition("]")[2]:
        place = f"{place}:{_PORTS[scheme]}"
    try:
        url = parse(f"{'https' if scheme == 'smtps' else 'http'}://{place}", what="mail server")
    except BadInput as error:
        raise StartRefused(error.message, hint=error.hint) from error
    if not user:
        return MailServer(url)
    try:
        path = Path(password_file).expanduser()
        if path.stat().st_mode & 0o077:
            raise StartRefused(f"{path} can be read by others.", hint="chmod 600 it: it has a password in it.")
        return MailServer(url, user, Secret(path.read_bytes().strip()))
    except OSError as error:
        raise StartRefused(
            f"The password of the mail server's user cannot be read ({error.strerror}).",
            hint="Set VALETKEY_MAIL_PASSWORD_FILE to a file that has it.",
        ) from error


class MailClient:
    """Hands in one letter over a connection of its own."""

    def __init__(self, dialer: Dials) -> None:
        self._dialer = dialer

    async def send(self, server: MailServer, letter: Letter, *, limits: Limits = TOKEN) -> None:
        """Returns when the server has taken it. Raises `MailRefused`, `AddressRefused`, `Unreachable`, `TimedOut`."""
        host = server.url.host
        try:
            async with asyncio.timeout(limits.total):
                reader = asyncio.StreamReader(limit=_LINE)
                transport, _protocol, _address = await self._dialer.connect(
                    server.url, lambda: asyncio.StreamReaderProtocol(reader), limits=limits
                )
                try:
                    await _handed_in(_Talk(host, reader, transport), server, letter)
                finally:
                    transport.close()
        except TimeoutError as error:
            raise TimedOut(f"The mail server {host} did not take the letter within {limits.total:g} s.") from error
        except (OSError, ValueError) as error:  # `ValueError`: a line that does not end
            raise Unreachable(f"The connection to the mail server {host} broke.", sent=True) from error


async def _handed_in(talk: _Talk, server: MailServer, letter: Letter) -> None:
    await talk.expects(220, "greeting")
    await talk.says(b"EHLO localhost", 250, "EHLO")  # who we are, nobody needs to know
    if server.user and server.password is not None:
        # Revealed for this one line, which goes over TLS or within the operator's own network.
        both = b"\0" + server.user.encode() + b"\0" + server.password.reveal()
        await talk.says(b"AUTH PLAIN " + base64.b64encode(both), 235, "AUTH")
    await talk.says(b"MAIL FROM:<%b>" % letter.sender.encode("ascii"), 250, "MAIL")
    await talk.says(b"RCPT TO:<%b>" % letter.to.encode("ascii"), 250, "RCPT")
    await talk.says(b"DATA", 354, "DATA")
    # A line that begins with a dot gets another (RFC 5321, 4.5.2): one alone would end the letter.
    lines = [b"." + line if line.startswith(b".") else line for line in bytes(letter).rstrip().split(b"\r\n")]
    await talk.says(b"\r\n".join([*lines, b"."]), 250, "text")
    talk.write(b"QUIT")


class _Talk:
    """Lines there and back."""

    def __init__(self, host: str, reader: asyncio.StreamReader, transport: asyncio.Transport) -> None:
        self._host = host
        self._reader = reader
        self._transport = transport

    def write(self, line: bytes) -> None:
        self._transport.write(line + b"\r\n")

    async def says(self, line: bytes, wanted: int, step: str) -> None:
        self.write(line)
        await self.expects(wanted, step)

    async def expects(self, wanted: int, step: str) -> None:
        """Reads one answer, of several lines perhaps. Raises `MailRefused` when it is another."""
        for _ in range(_LINES):
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise Unreachable(f"The mail server {self._host} hung up at {step}.", sent=True)
            if line[3:4] != b"-":
                status = int(line[:3]) if line[:3].isdigit() else 0
                if status != wanted:
                    raise MailRefused(self._host, step, status)
                return
        raise MailRefused(self._host, step, 0)
