"""What calls got is shown to nobody by a link, a role or an assistant: there is nothing here that shares (ORG-17)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.api.hub import Hub, open_hub
from tests.conftest import FakeClock
from tests.privacy.test_retention import a_call
from valetkey.api.asking import Scope
from valetkey.audit.kept_results import KeptResults
from valetkey.audit.model import KeptOf
from valetkey.identity.model import Role
from valetkey.store.database import Database
from valetkey.web.site import site_map

WHOLE = b'{"content":[{"type":"text","text":"CANARY of a document"}]}'


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock) -> Hub:
    """Bob, who called; Ada (owner), an admin and an auditor of his organization; Eve, who is on her own."""
    hub = await open_hub(sqlite_database, clock)
    ours = hub.people["ada"].organization_id
    await hub.add("adam", ours, Role.ADMIN)
    await hub.add("audrey", ours, Role.AUDITOR)
    await hub.add("mia", ours, Role.MEMBER)
    return hub


async def test_ORG_17_the_address_of_what_a_call_got_opens_for_its_person_alone(
    hub: Hub, keyring_database: Database, tmp_path: Path
) -> None:
    """Bob sends his links to everybody. Each has all scopes there are; to them it is as if there were no such call."""
    days, bob = hub.keep_keys(keyring_database, tmp_path / "root.key"), hub.people["bob"]
    call_id = await a_call(hub, days)
    kept = KeptOf(call_id, bob.id, bob.organization_id, hub.clock.now().date().isoformat(), 1)
    key = await days.key(bob.id, bob.organization_id, kept.day)
    await KeptResults(hub.database).keep(kept, [key.seal(WHOLE, about=kept.about(0))])
    links = (f"/calls/{call_id}", f"/calls/{call_id}/result")

    for login in ("ada", "adam", "audrey", "mia", "eve"):
        client = await hub.with_scopes(login)
        for link in links:
            answer, of_none = await client.get(link), await client.get(link.replace(call_id, "call_none"))
            assert (answer.status_code, answer.json()) == (404, of_none.json()), (login, link)
    assert [(await hub.nobody.get(link)).status_code for link in links] == [401, 401]
    mine = await hub.with_scopes("bob")
    assert (await mine.get(links[0])).json()["response"] == {"said": "hello"}
    assert (await mine.get(links[1])).content == WHOLE


async def test_ORG_17_no_page_route_or_scope_shares_anything(hub: Hub) -> None:
    """An address holds no key to what it names: who may is asked anew of whoever opens it."""
    pages = {page.path for page in site_map()}
    routes = set((await hub.nobody.get("/openapi.json")).json()["paths"])

    assert not [name for name in (*pages, *routes, *Scope) if re.search(r"\bshar(e|es|ed|ing)\b", name)]
