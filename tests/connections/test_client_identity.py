"""Who we are to an authorization server (CON-13, CON-14, CON-25; VLT-10)."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import select

from tests.connections.conftest import PUBLIC_URL, Hub, OpenHub
from tests.connections.outside import Answer, AuthServer, Known, Service
from valetkey.connections.model import State, StepFailed, issuer_hash, typed_client
from valetkey.directory.editing import Edit
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import NotFound
from valetkey.kernel.secret import Secret
from valetkey.store.schema import client_identity, secret
from valetkey.store.schema import keyring as keyring_tables
from valetkey.store.schema import main as main_tables


def _client_id(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query))["client_id"]


async def test_many_people_are_one_client_at_a_server(hub: Hub, service: Service, server: AuthServer) -> None:
    """CON-14: one registration, however many connect at the same time."""
    people = [hub.browser(await hub.person(f"p{number}")) for number in range(20)]
    connector = await hub.connector(people[0].person, service.url)

    ways = await asyncio.gather(*(hub.go(browser, connector) for browser in people))
    for browser, (attempt, url) in zip(people, ways, strict=True):
        await hub.come_back(browser, attempt, server.consent(url))

    assert len(server.posts("/register")) == 1
    assert len({_client_id(url) for _, url in ways}) == 1


async def test_two_processes_register_once(open_hub: OpenHub, service: Service, server: AuthServer) -> None:
    one, other = open_hub(), open_hub()
    await one.vault.start("dep_test")
    ada = one.browser(await one.person("ada"))
    connector = await one.connector(ada.person, service.url)

    first, second = await asyncio.gather(one.go(ada, connector), other.go(ada, connector))

    assert len(server.posts("/register")) == 1
    assert _client_id(first[1]) == _client_id(second[1])
    assert (await other.come_back(ada, second[0], server.consent(second[1]))).state is State.CONNECTED


async def test_each_server_gets_its_own_client_and_callback(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    async with AuthServer() as other, Service(other) as elsewhere:
        _, first = await hub.go(ada, await hub.connector(ada.person, service.url))
        _, second = await hub.go(ada, await hub.connector(ada.person, elsewhere.url))

        asked = [json.loads(place.posts("/register")[0].body) for place in (server, other)]
        assert _client_id(first) != _client_id(second)
        assert [one["redirect_uris"] for one in asked] == [
            [f"{PUBLIC_URL}/oauth/callback/{issuer_hash(place.issuer)}"] for place in (server, other)
        ]


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"])
async def test_a_server_that_takes_one_way_of_authenticating_is_spoken_to_in_it(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, auth: str
) -> None:
    """CON-25; the fake's secrets hold reserved characters, and it accepts no other method than the registered."""
    server.auths = [auth]

    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    hub.clock.advance(3600)
    renewed = await hub.bearer(connection)

    assert next(iter(server.clients.values())).auth == auth
    assert server.lets_in(renewed)


async def test_our_secret_lies_sealed_and_the_database_shows_none_of_it(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    await hub.go(ada, await hub.connector(ada.person, service.url))

    async with hub.main.read() as tx:
        row = (await tx.execute(select(client_identity))).one()
    secret = next(iter(server.clients.values())).secret
    assert (row.source, row.has_secret, row.auth_method) == ("dcr", True, "client_secret_basic")
    assert secret not in repr(row)


@pytest.mark.parametrize(
    ("takes", "auths", "options", "source"),
    [
        (True, ["none"], {}, "cimd"),
        (True, ["none", "client_secret_basic"], {}, "cimd"),
        (True, ["client_secret_basic"], {}, "dcr"),
        (True, None, {}, "dcr"),
        (False, ["none"], {}, "dcr"),
        (True, ["none"], {"documents_reachable": False}, "dcr"),
        (True, ["none"], {"document_url": "http://hub.example.com/{issuer}.json"}, "dcr"),
    ],
)
async def test_our_document_is_used_where_it_is_wanted_whole_and_can_be_fetched(
    open_hub: OpenHub,
    service: Service,
    server: AuthServer,
    takes: bool,
    auths: list[str] | None,
    options: dict[str, Any],
    source: str,
) -> None:
    hub = open_hub(**options)
    await hub.vault.start("dep_test")
    ada = hub.browser(await hub.person("ada"))
    server.takes_documents, server.auths = takes, auths

    attempt, url = await hub.go(ada, await hub.connector(ada.person, service.url))

    assert attempt.facts.client_source == source
    assert (_client_id(url) == f"{PUBLIC_URL}/oauth/client/{issuer_hash(server.issuer)}.json") is (source == "cimd")
    assert (server.posts("/register") == []) is (source == "cimd")


async def test_with_our_document_a_connection_lives_and_is_revoked_without_any_secret(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.takes_documents = True
    document = await hub.room.identities.document(issuer_hash(server.issuer))
    server.documents[document["client_id"]] = document["redirect_uris"]

    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    hub.clock.advance(3600)
    renewed = await hub.bearer(connection)
    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    assert renewed != ""
    assert (receipt.revocation, len(server.revoked)) == ("confirmed", 2)


async def test_a_document_served_from_elsewhere_names_that_address(open_hub: OpenHub) -> None:
    hub = open_hub(document_url="https://static.example.com/clients/{issuer}.json")

    document = await hub.room.identities.document("0123456789abcdef")

    assert document["client_id"] == "https://static.example.com/clients/0123456789abcdef.json"
    assert document["redirect_uris"] == [f"{PUBLIC_URL}/oauth/callback/0123456789abcdef"]


@pytest.mark.parametrize("name", ["", "0123456789abcde", "0123456789ABCDEF", "../../../etc/pass", "0123456789abcdef\n"])
async def test_a_document_of_no_issuer_is_not_there(open_hub: OpenHub, name: str) -> None:
    with pytest.raises(NotFound):
        await open_hub().room.identities.document(name)


async def test_a_typed_client_id_comes_first_and_its_secret_goes_to_that_server_alone(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.takes_documents = True
    server.clients["typed-id"] = Known(
        "client_secret_basic", [hub.room.identities.callback(server.issuer)], "CANARY-typed"
    )
    connector = await hub.connector(ada.person, service.url, client_id="typed-id")
    attempt = await hub.room.connecting.begin(ada, connector)
    with pytest.raises(NotFound):
        await hub.room.connecting.hold_client_secret(attempt.id, hub.browser(ada.person), Secret("from elsewhere"))
    await hub.room.connecting.hold_client_secret(attempt.id, ada, Secret("CANARY-typed"))

    attempt, url = await hub.go(ada, connector)
    connection = await hub.come_back(ada, attempt, server.consent(url))

    assert (attempt.facts.client_source, _client_id(url)) == ("preregistered", "typed-id")
    assert connection.state is State.CONNECTED
    assert server.posts("/register") == []


async def test_a_client_that_was_given_for_one_connector_is_no_custom_ones(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """CUS-15: at the same server, with the secret sealed; the custom connector is known by a client of its own."""
    callback = hub.room.identities.callback(server.issuer)
    server.clients["typed-id"] = Known("client_secret_basic", [callback], "CANARY-typed")
    known = await hub.connector(ada.person, service.url, client_id="typed-id")
    attempt = await hub.room.connecting.begin(ada, known)
    await hub.room.connecting.hold_client_secret(attempt.id, ada, Secret("CANARY-typed"))
    custom = await hub.connector(ada.person, f"{service.url}?custom=1")

    attempt, url = await hub.go(ada, custom)

    assert attempt.facts.client_source == "dcr"
    assert _client_id(url) != "typed-id"


@pytest.mark.parametrize("way", ["removed", "another client id"])
async def test_a_typed_secret_goes_with_the_connector_it_was_entered_for(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, way: str
) -> None:
    """CUS-05, S-16: no key of it is left, no ciphertext, and nothing that a dump of either store would give away."""
    callback = hub.room.identities.callback(server.issuer)
    server.clients["typed-id"] = Known("client_secret_basic", [callback], "CANARY-of-it")
    connector = await hub.connector(ada.person, service.url, client_id="typed-id")
    attempt = await hub.room.connecting.begin(ada, connector)
    await hub.room.connecting.hold_client_secret(attempt.id, ada, Secret("CANARY-of-it"))
    attempt, url = await hub.go(ada, connector)
    connection = await hub.come_back(ada, attempt, server.consent(url))
    assert await _sealed_for(hub, typed_client(connector.id)) == 1

    if way == "removed":
        await hub.room.connections.remove(ada.person.id, connection.id, by="person:ada")
        await hub.room.editing.remove(connector, by="operator", person_id="")
    else:
        await hub.room.editing.edit(connector, Edit(auth={"client_id": "other"}), by="person:ada", person_id="ada")

    assert await _sealed_for(hub, typed_client(connector.id)) == 0
    assert not (await hub.vault.mark(typed_client(connector.id))).names
    assert "CANARY-of-it" not in await _dump(hub)


async def _dump(hub: Hub) -> str:
    """Every row of both stores, as a dump would have them."""
    found: list[str] = []
    for database, tables in ((hub.main, main_tables), (hub.keyring, keyring_tables)):
        async with database.read() as tx:
            for table in tables.sorted_tables:
                found += [repr(tuple(row)) for row in await tx.execute(select(table))]
    return "\n".join(found)


async def _sealed_for(hub: Hub, subject: str) -> int:
    async with hub.main.read() as tx:
        return len((await tx.execute(select(secret).where(secret.c.subject == subject))).all())


async def test_a_wrong_typed_secret_is_told_and_nothing_is_registered(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.clients["typed-id"] = Known("client_secret_basic", [hub.room.identities.callback(server.issuer)], "right")
    connector = await hub.connector(ada.person, service.url, client_id="typed-id")
    attempt, url = await hub.go(ada, connector)

    with pytest.raises(StepFailed, match="invalid_client") as caught:
        await hub.come_back(ada, attempt, server.consent(url))

    assert "client id and secret" in caught.value.hint
    assert server.posts("/register") == []


async def test_a_server_that_has_forgotten_us_is_registered_with_once_more(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """CON-14: only after `invalid_client`, only for a registration of our own, and once."""
    connector = await hub.connector(ada.person, service.url)
    attempt, url = await hub.go(ada, connector)
    answer = server.consent(url)
    server.clients.clear()

    with pytest.raises(StepFailed, match="invalid_client") as caught:
        await hub.come_back(ada, attempt, answer)
    connection = await hub.connect(ada, connector, server)

    assert "register anew" in caught.value.hint
    assert connection.state is State.CONNECTED
    assert len(server.posts("/register")) == 2


@pytest.mark.parametrize(
    ("client", "source"), [("register", "dcr"), ("document", ""), ("", "dcr")], ids=["register", "document", "either"]
)
async def test_who_we_are_there_can_be_chosen_and_is_then_that_or_nothing(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, client: str, source: str
) -> None:
    """CUS-01: this server registers clients, and takes no documents."""
    connector = await hub.connector(ada.person, service.url, **({"client": client} if client else {}))

    if source:
        assert (await hub.room.connecting.begin(ada, connector)).facts.client_source == source
    else:
        with pytest.raises(StepFailed, match="registers clients; the other way"):
            await hub.room.connecting.begin(ada, connector)


async def test_without_any_way_to_be_known_the_person_gets_the_callback_to_register(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.offers_registration = False

    with pytest.raises(StepFailed, match="registered by hand") as caught:
        await hub.room.connecting.begin(ada, await hub.connector(ada.person, service.url))

    assert caught.value.kind == "registration_failed"
    assert hub.room.identities.callback(server.issuer) in caught.value.hint


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(400, {"error": "invalid_redirect_uri"}), "registration_failed"),
        (Answer(403, b"<html>"), "registration_failed"),
        (Answer(201, {"client_id": "c"}), "registration_failed"),
        (Answer(201, {"client_id": "c", "client_secret": "s", "redirect_uris": ["https://x"]}), "registration_failed"),
        (Answer(307, b"", {"location": "https://evil.example/register"}), "registration_failed"),
        (Answer(201, b"x" * 100_000), "registration_failed"),
    ],
)
async def test_a_registration_that_does_not_work_is_told_as_one(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, answer: Answer, kind: str
) -> None:
    connector = await hub.connector(ada.person, service.url)
    attempt = await hub.room.connecting.begin(ada, connector)
    server.answers["/register"] = answer

    with pytest.raises(StepFailed) as caught:
        await hub.room.connecting.accept(attempt.id, ada, attempt.facts.hash, attempt.facts.scopes)

    assert (caught.value.kind, caught.value.stage) == (kind, "registration")
    async with hub.main.read() as tx:
        assert (await tx.execute(select(client_identity))).first() is None


# --- private_key_jwt (CON-25) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("auths", [["private_key_jwt"], ["private_key_jwt", "none"]])
async def test_by_our_document_we_sign_who_we_are_from_the_first_request_to_the_last(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, auths: list[str]
) -> None:
    """The server fetches the document when it is first told of it, takes the key from it, and no statement twice."""
    server.takes_documents, server.auths = True, auths
    connector = await hub.connector(ada.person, service.url)
    attempt, url = await hub.go(ada, connector)
    document = await hub.room.identities.document(issuer_hash(server.issuer))
    server.documents[document["client_id"]] = document["redirect_uris"]
    server.keys[document["client_id"]] = document["jwks"]["keys"][0]

    connection = await hub.come_back(ada, attempt, server.consent(url))
    hub.clock.advance(3600)
    renewed = await hub.bearer(connection)
    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    assert document["token_endpoint_auth_method"] == "private_key_jwt"
    assert "d" not in document["jwks"]["keys"][0]
    assert server.posts("/register") == []
    assert renewed != ""
    assert (receipt.revocation, len(server.revoked)) == ("confirmed", 2)
    assert len(server.statements) == 4  # exchange, refresh, and two revocations
    for claims in server.statements.values():
        assert (claims["iss"], claims["sub"], claims["aud"]) == (*[document["client_id"]] * 2, server.issuer)
        assert claims["exp"] - claims["iat"] <= 60


async def test_a_copy_of_our_document_elsewhere_is_not_expected_to_learn_of_a_key(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    hub = open_hub(document_url="https://static.example.com/clients/{issuer}.json")
    await hub.vault.start("dep_test")
    server.takes_documents, server.auths = True, ["private_key_jwt", "none"]
    ada = hub.browser(await hub.person("ada"))

    await hub.go(ada, await hub.connector(ada.person, service.url))

    document = await hub.room.identities.document(issuer_hash(server.issuer))
    assert document["token_endpoint_auth_method"] == "none"


async def test_a_client_registered_by_hand_signs_where_nothing_else_is_taken(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """Whoever registers us there points to our key; before they have, the error says where it is."""
    server.auths = ["private_key_jwt"]
    connector = await hub.connector(ada.person, service.url, client_id="by-hand")
    attempt, url = await hub.go(ada, connector)
    server.documents["by-hand"] = [attempt.facts.callback]

    with pytest.raises(StepFailed) as caught:
        await hub.come_back(ada, attempt, server.consent(url))
    short_name = issuer_hash(server.issuer)
    [server.keys["by-hand"]] = (await hub.room.identities.key_set(short_name))["keys"]
    connection = await hub.connect(ada, connector, server)

    assert f"{PUBLIC_URL}/oauth/client/{short_name}.jwks" in caught.value.hint
    assert connection.state is State.CONNECTED


async def test_two_processes_publish_one_key_and_both_can_sign_with_it(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    hubs = [open_hub(), open_hub()]
    await hubs[0].vault.start("dep_test")
    server.takes_documents, server.auths = True, ["private_key_jwt"]
    ada = hubs[0].browser(await hubs[0].person("ada"))
    connector = await hubs[0].connector(ada.person, service.url)

    attempts = await asyncio.gather(*(hub.go(ada, connector) for hub in hubs))
    document = await hubs[0].room.identities.document(issuer_hash(server.issuer))
    server.documents[document["client_id"]] = document["redirect_uris"]
    [server.keys[document["client_id"]]] = document["jwks"]["keys"]
    for hub, (attempt, url) in zip(hubs, attempts, strict=True):
        assert (await hub.come_back(ada, attempt, server.consent(url))).state is State.CONNECTED

    async with hubs[0].main.read() as tx:
        sealed = (await tx.execute(select(secret.c.subject).where(secret.c.purpose == "signing_key"))).all()
    assert [row.subject for row in sealed] == [f"key:{document['jwks']['keys'][0]['kid']}"]


async def test_an_algorithm_we_do_not_sign_with_is_not_tried(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.auths, server.algorithms = ["private_key_jwt", "none"], ["RS256"]

    await hub.go(ada, await hub.connector(ada.person, service.url))

    assert json.loads(server.posts("/register")[0].body)["token_endpoint_auth_method"] == "none"
