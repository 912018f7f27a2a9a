"""Signing in through an organization's identity provider, on a certified one: oidc-provider, over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
import pytest

from tests.conftest import FakeClock
from tests.connections.conftest import PARSE, PUBLIC_URL, Hub
from tests.real.node import Node
from tests.real.test_oidc_provider import OIDC_PROVIDER, _free_ports, _running
from valetkey.connections.desk import DirectDesk
from valetkey.identity.model import Role
from valetkey.identity.organizations import Organizations
from valetkey.identity.signin.openid.model import Arrived
from valetkey.identity.signin.openid.providers import Wish
from valetkey.identity.signin.openid.room import open_openid
from valetkey.kernel.clock import SystemClock
from valetkey.kernel.ids import new_token
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.vault.root_keys.file import open_or_create

pytestmark = pytest.mark.real

HERE = Path(__file__).resolve().parent
SECRET = "a secret of the provider's, with 100 % odd + characters"


async def test_ada_signs_in_and_comes_back_as_the_same(
    node: Node, sqlite_database: Database, keyring_database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    root = open_or_create(tmp_path / "keys" / "root.key", forbidden_below=[], may_create=True)
    hub = Hub(sqlite_database, keyring_database, root, clock, tmp_path / "spool")
    await hub.vault.start("dep_test")
    now = SystemClock()  # the provider's clock is the world's
    organizations = Organizations(sqlite_database, clock=now)
    openid = open_openid(
        sqlite_database, hub.notifications, organizations=organizations, web=hub.outbound.web,
        desk=DirectDesk(hub.outbound.web), vault=hub.vault, parse=PARSE, clock=now, trail=hub.trail,
        public_url=PUBLIC_URL,
    )  # fmt: skip
    home = await organizations.create("Engines", "organization")
    await openid.providers.add_domain(home.id, "example.com", by="operator")
    await openid.providers.verify_domain(home.id, "example.com", by="operator", vouched=True)
    port = _free_ports()[0]
    issuer = f"http://127.0.0.1:{port}"
    program = [str(node.node), str(HERE / "people.mjs"), (node.modules / OIDC_PROVIDER).as_uri(), str(port)]
    command = [*program, "valetkey", SECRET, openid.providers.callback(home.id)]

    async def sign_in() -> Arrived:
        browser = new_token("vko")
        away = await openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
        return await openid.sign_ins.finish(home.id, await _through(away), browser=browser, session=None)

    running = _running(command, node.environment(tmp_path), f"{issuer}/.well-known/openid-configuration")
    await asyncio.to_thread(running.__enter__)
    try:
        wish = Wish(issuer=issuer, client_id="valetkey", client_secret=Secret(SECRET))
        provider = await openid.providers.set(home.id, wish, by="operator")
        first, again = await sign_in(), await sign_in()
        tied = await openid.accounts.identity_of(first.person.id)
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)
        await hub.close()

    assert provider.client_auth == "client_secret_basic"
    assert (first.person.login, first.person.role) == ("ada@example.com", Role.MEMBER)
    assert first.person.display_name == "Ada Lovelace"
    assert again.person == first.person
    assert tied is not None
    assert (tied.issuer, tied.subject) == (issuer, "00u-ada")


async def _through(url: str) -> list[tuple[str, str]]:
    """A browser that follows every redirect with its cookies, until it is sent back to the hub."""
    async with httpx2.AsyncClient() as browser:
        for _ in range(12):
            answer = await browser.get(url)
            assert answer.is_redirect, answer.text
            url = urljoin(url, answer.headers["location"])
            if url.startswith(PUBLIC_URL):
                return parse_qsl(urlsplit(url).query)
    raise AssertionError("the way back was never found")
