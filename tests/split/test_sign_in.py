"""With the vault in its own process: a provider gets our secret from there, a webhook's mark is made there, and a
collector's header leaves from there."""

from __future__ import annotations

import base64
import hmac
from urllib.parse import parse_qsl

import pytest

from tests.connections.conftest import PARSE, PUBLIC_URL
from tests.connections.outside import Answer, AuthServer
from tests.identity.provider import Account, IdentityProvider
from tests.split.conftest import SplitHub
from valetkey.audit.feed import repository
from valetkey.audit.feed.model import Feed
from valetkey.identity.organizations import Organizations
from valetkey.identity.signin.openid.providers import Wish
from valetkey.identity.signin.openid.room import open_openid
from valetkey.kernel.errors import BadInput
from valetkey.kernel.ids import new_token
from valetkey.kernel.secret import Secret
from valetkey.vault.feed_keys import FeedKeys
from valetkey.vault.model import Binding, Use
from valetkey.vault.release import NotReleased


async def test_somebody_signs_in_at_a_provider_and_the_worker_never_had_the_secret(
    hub: SplitHub, server: AuthServer
) -> None:
    provider = IdentityProvider(hub.clock, issuer=server.origin)
    organizations = Organizations(hub.main, clock=hub.clock)
    openid = open_openid(
        hub.main, hub.notifications, organizations=organizations, web=hub.outbound.web, desk=hub.kept.desk,
        vault=hub.kept.vault, parse=PARSE, clock=hub.clock, trail=hub.trail, public_url=PUBLIC_URL,
    )  # fmt: skip
    server.answers["/.well-known/openid-configuration"] = Answer(body=provider.document)
    server.answers["/keys"] = Answer(body={"keys": [key.as_dict(private=False) for key in provider.published]})
    home = await organizations.create("Engines", "organization")
    await openid.providers.add_domain(home.id, "example.com", by="operator")
    await openid.providers.verify_domain(home.id, "example.com", by="operator", vouched=True)
    wish = Wish(issuer=server.origin, client_id="valetkey", client_secret=Secret(provider.client_secret))
    set_up = await openid.providers.set(home.id, wish, by="operator")

    browser = new_token("vko")
    away = await openid.sign_ins.begin_for("ada@example.com", browser=browser, to="/")
    query = provider.approve(away, Account("00u-ada", "ada@example.com"))
    nonce = dict(parse_qsl(away.partition("?")[2]))["nonce"]
    token = provider.token(Account("00u-ada", "ada@example.com"), nonce)
    server.answers["/token"] = Answer(body={"access_token": "at", "token_type": "Bearer", "id_token": token})
    arrived = await openid.sign_ins.finish(home.id, parse_qsl(query), browser=browser, session=None)

    assert arrived.person.login == "ada@example.com"
    (asked,) = server.posts("/token")
    basic = base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    assert basic == f"valetkey:{provider.client_secret}"
    assert asked.form["code_verifier"]
    held = await hub.kept.vault.reveal_for_exchange(bound_to=set_up.binding, use=Use.CLIENT_AUTHENTICATION)
    assert provider.client_secret.encode() not in held.reveal()


async def test_a_webhooks_mark_is_made_where_its_key_is(hub: SplitHub) -> None:
    binding = Binding(tenant="org_1", person="", subject="feed:1", purpose="mark_key", origin="https://siem.example")
    await hub.kept.vault.seal(Secret(b"k" * 32), bound_to=binding)

    mark = await hub.kept.vault.mark_message(b"what happened", bound_to=binding)

    assert mark == hmac.digest(b"k" * 32, b"what happened", "sha256")
    with pytest.raises(BadInput):  # no worker gets the key itself
        await hub.kept.vault.reveal_for_exchange(bound_to=binding, use=Use.MARK)


async def test_a_collectors_header_leaves_from_the_vault_and_the_worker_never_has_it(
    hub: SplitHub, server: AuthServer
) -> None:
    """ORG-14: as a ticket, for the feed that is there."""
    ours = (await Organizations(hub.main, clock=hub.clock).create("Engines", "organization")).id
    feed = Feed(
        id="feed_1", organization_id=ours, kind="otlp", address="otlp+https://collector.example",
        created_at=hub.clock.now(), delivered=0, header="x-api-key",
    )  # fmt: skip
    keys, url = FeedKeys(hub.kept.vault), PARSE(f"{server.origin}/v1/logs")
    await keys.keep_header(feed, url, Secret("CANARY-collector"))
    with pytest.raises(NotReleased):
        await keys.ticket(feed, url)
    async with hub.main.write() as tx:
        await repository.add(tx, feed)

    ticket = await keys.ticket(feed, url)
    await hub.outbound.calls.post(url, (), b"{}", credential=ticket, pool="feed:feed_1")

    [asked] = server.posts("/v1/logs")
    assert asked.headers["x-api-key"] == "CANARY-collector"
