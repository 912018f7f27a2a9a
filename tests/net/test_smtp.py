"""A letter is handed in over TLS, or plain where a network is opened, to a real mail server; and to nothing else."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.conftest import FakeClock
from valetkey.kernel.errors import StartRefused
from valetkey.kernel.secret import Secret
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.model import AddressRefused, Unreachable
from valetkey.net.outbound import Outbound, open_outbound
from valetkey.net.smtp import Letter, MailRefused, MailServer, is_mail_address, named_server
from valetkey.net.url import parse_url

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
TEXT = "Look:\n.a dot\nhttps://h/approvals/a"
LETTER = Letter("hub@hub.example", "ada@home.example", "Something waits", TEXT, AT, "a@h")
parse = partial(parse_url, private_names=True)


class Post(Message):
    """What a mail server has taken."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.letters.append(message)

    async def handle_RCPT(  # the name that is looked for
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such mailbox nobody@home.example"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def signs_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"hub", b"hunter2"), handled=False)


class Place:
    """A mail server on this host, over TLS, that wants one to sign in."""

    def __init__(self, tmp_path: Path) -> None:
        self.post = Post()
        authority = trustme.CA()
        self.roots = tmp_path / "roots.pem"
        authority.cert_pem.write_to_path(str(self.roots))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(self._tls)
        self.secured = self.plain = 0
        self._talks: list[SMTP] = []
        self._servers: list[asyncio.Server] = []

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        behind_tls = partial(self._talk, authenticator=signs_in, auth_required=True, auth_require_tls=False)
        self._servers = [
            await loop.create_server(behind_tls, "127.0.0.1", 0, ssl=self._tls),
            await loop.create_server(self._talk, "127.0.0.1", 0),
        ]
        self.secured, self.plain = (server.sockets[0].getsockname()[1] for server in self._servers)

    async def close(self) -> None:
        for talk in self._talks:
            if talk.transport is not None:
                talk.transport.close()
        for server in self._servers:
            server.close()
            await server.wait_closed()

    def _talk(self, **how: Any) -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it does not see that TLS came first
            self._talks.append(SMTP(self.post, **how))
        return self._talks[-1]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    await place.open()
    yield place
    await place.close()


@pytest.fixture
async def out(place: Place, clock: FakeClock) -> AsyncIterator[Outbound]:
    outbound = open_outbound(AddressPolicy((ip_network("127.0.0.1/32"),)), clock, place.roots)
    yield outbound
    await outbound.close()


def server(place: Place, *, password: str = "hunter2") -> MailServer:
    return MailServer(parse(f"https://localhost:{place.secured}"), "hub", Secret(password))


async def test_a_letter_arrives_as_it_was_written(place: Place, out: Outbound) -> None:
    await out.mail.send(server(place), LETTER)

    [arrived] = place.post.letters
    assert (arrived["From"], arrived["To"], arrived["Subject"]) == (
        "hub@hub.example",
        "ada@home.example",
        "Something waits",
    )
    assert (arrived["Message-ID"], arrived["Auto-Submitted"]) == ("<a@h>", "auto-generated")
    assert arrived.get_payload().replace("\r\n", "\n").strip() == TEXT


async def test_without_tls_it_goes_only_into_an_opened_network(place: Place, out: Outbound, clock: FakeClock) -> None:
    plain = MailServer(parse(f"http://127.0.0.1:{place.plain}"))
    closed = open_outbound(AddressPolicy(()), clock)

    await out.mail.send(plain, LETTER)
    with pytest.raises(AddressRefused):
        await closed.mail.send(plain, LETTER)
    await closed.close()

    assert len(place.post.letters) == 1


@pytest.mark.parametrize(("how", "for_good"), [("password", True), ("mailbox", True)])
async def test_what_the_server_refuses_is_told_without_what_it_said(
    place: Place, out: Outbound, how: str, for_good: bool
) -> None:
    to, password = ("nobody@home.example", "hunter2") if how == "mailbox" else (LETTER.to, "wrong")

    with pytest.raises(MailRefused) as refused:
        await out.mail.send(server(place, password=password), replace(LETTER, to=to))

    assert refused.value.is_for_good is for_good
    assert "nobody" not in str(refused.value)
    assert "wrong" not in str(refused.value)
    assert place.post.letters == []


async def test_a_server_with_another_certificate_gets_nothing(place: Place, clock: FakeClock) -> None:
    stranger = open_outbound(AddressPolicy((ip_network("127.0.0.1/32"),)), clock)

    with pytest.raises(Unreachable):
        await stranger.mail.send(server(place), LETTER)
    await stranger.close()

    assert place.post.letters == []


@pytest.mark.parametrize(
    "text",
    ["ada", "ada@home.example\r\nRCPT TO:<eve@x>", "ada@home.example> NOTIFY=x", "a b@c", "ä@home.example", "@x"],
)
def test_what_could_end_a_line_is_no_address(text: str) -> None:
    assert not is_mail_address(text)


def test_the_settings_name_a_server_and_keep_its_password_out_of_sight(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    file.chmod(0o600)

    found = named_server("smtps://hub@mail.example", str(file), parse=parse)

    assert (found.url.text, found.user) == ("https://mail.example:465", "hub")
    assert "hunter2" not in repr(found)
    file.chmod(0o644)
    for address, path in (("smtps://hub@mail.example", str(file)), ("smtps://hub@mail.example", ""), ("mail", ""),
                          ("smtps://hub:word@mail.example", str(file)), ("smtps://mail.example/x", "")):  # fmt: skip
        with pytest.raises(StartRefused):
            named_server(address, path, parse=parse)
