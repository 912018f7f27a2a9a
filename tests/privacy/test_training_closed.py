"""Nothing opens training for an organization: no setting, field, role, scope, page, command or import (S-10 (a))."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tests.api.hub import Hub
from tests.api.test_doors import OPERATOR_ONLY, TABLE
from tests.api.things import give_things
from tests.cli.reference import commands
from tests.privacy.test_training import CANARY, a_call, allow, events, export, hub
from valetkey.identity.model import Role
from valetkey.identity.roles import Act
from valetkey.identity.scopes import Scope
from valetkey.kernel.errors import StartRefused
from valetkey.privacy.consent import TEXT, Consents
from valetkey.privacy.training_export import TrainingExport
from valetkey.settings import load_settings
from valetkey.store import migrations
from valetkey.store.schema import main
from valetkey.web.site import site_map

__all__ = ["hub"]  # fixture

_WORDS = ("train", "learn", "improve", "model_")
FIELDS = ("training", "allow_training", "training_consent", "consent", "used_for_training")


def _names_it(text: str) -> bool:
    return any(word in text.lower() for word in _WORDS)


def test_the_database_has_no_place_for_it_but_a_persons_own_yes() -> None:
    """So no import and no restored backup can bring one: a row of these two is looked at again at each export."""
    columns = {f"{table.name}.{column.name}" for table in main.tables.values() for column in table.columns}
    tables = {table.name for table in main.tables.values() if _names_it(table.name)}

    assert tables == {"training_consent", "training_item"}
    assert not [name for name in columns if _names_it(name) and name.partition(".")[0] not in tables]


@pytest.mark.parametrize("name", FIELDS)
def test_a_hub_that_is_told_so_in_its_settings_does_not_start(tmp_path: Path, name: str) -> None:
    (tmp_path / "valetkey.toml").write_text(f"{name} = true\n")

    with pytest.raises(StartRefused, match="unknown setting"):
        load_settings({"data": str(tmp_path)}, environment={})


def test_no_role_no_scope_no_page_and_no_command_gives_it() -> None:
    """The pages are a person's own; the commands show, take back, and export."""
    assert not [each for each in (*Act, *Scope, *Role) if _names_it(each)]
    assert {(page.method, page.path) for page in site_map() if _names_it(page.path)} == {
        ("POST", "/settings/data/training"), ("POST", "/settings/data/training/withdraw"),
    }  # fmt: skip
    assert {name for name, _ in commands() if _names_it(name)} == {"valetkey data training-export"}


@pytest.mark.parametrize("name", FIELDS)
def test_no_variable_of_the_environment_gives_it(name: str) -> None:
    with pytest.raises(StartRefused, match="no setting"):
        load_settings({}, environment={f"VALETKEY_{name.upper()}": "true"})


def test_what_hands_out_and_what_says_yes_is_told_no_setting() -> None:
    """Whatever is set, these two are given rooms, a clock and the trail, and nothing that could be a switch."""
    for room in (TrainingExport, Consents):
        asked_for = {str(one.annotation) for one in inspect.signature(room).parameters.values()}
        assert not [one for one in asked_for if "ettings" in one or one in ("bool", "str", "Any", "object")]


async def test_no_field_of_any_request_gives_it_to_an_owner_or_the_operator(hub: Hub) -> None:
    """Every operation that takes a body, with every name that it could have: each is refused by that name."""
    ada, things = await hub.with_scopes("ada"), await give_things(hub)
    taken, asked = [], 0
    async with hub.operator as operator:
        described = (await operator.get("/openapi.json")).json()["paths"]
        for (method, path), row in TABLE.items():
            if row.body is None or "requestBody" not in described[path][method.lower()]:
                continue
            client = operator if row.demand == OPERATOR_ONLY else ada
            for name in FIELDS:
                answer = await client.request(method, things.path(path), json={**row.body, name: True})
                asked += 1
                if answer.status_code != 400 or name not in answer.text:
                    taken.append((method, path, name, answer.status_code))

    assert sorted({one[:2] for one in taken}) == []
    assert asked > 250
    await a_call(hub, hub.people["ada"], 1)
    assert await export(hub) == []


def test_no_upgrade_says_yes_for_anybody() -> None:
    """S-11 (b): no migration writes a row of consent; the one that made the table made it empty."""
    upgrades = [one.read_text() for one in (Path(migrations.__file__).parent / "main/versions").glob("*.py")]
    about = [one for one in upgrades if "training_consent" in one]

    assert len(about) == 1
    assert not re.search(r"insert|bulk_insert|UPDATE|op\.execute", about[0])


async def test_a_report_from_an_organization_is_no_row_either(hub: Hub) -> None:
    """S-10 (d): what somebody reports goes to their owners; nothing that hands out for training reads it."""
    ada, things = await hub.with_scopes("ada"), await give_things(hub)

    answer = await ada.post(f"/connections/{things.connection.id}/report", json={"reason": "other"})

    assert answer.status_code == 204, answer.text
    assert await export(hub) == []


async def test_a_canary_in_every_call_of_an_organization_is_in_no_row(hub: Hub) -> None:
    """S-10 (b), S-28: calls of all its members with the canary in every field, and not one row comes out."""
    for number, login in enumerate(("ada", "bob")):
        await a_call(hub, hub.people[login], number)

    items = await export(hub)

    assert (items, CANARY in str(items)) == ([], False)
    assert [one["items"] for one in await events(hub, "training.exported")] == [0]


async def test_nothing_of_partners_is_in_a_row_of_who_said_yes(hub: Hub) -> None:
    """S-28: a listing's texts, a submission with its test account, and what a partner's tool answered."""
    eve = hub.people["eve"]
    await hub.services.connectors.add_custom(eve, name=CANARY, url=f"https://{CANARY.lower()}.example/mcp")
    drafts = hub.services.submissions.drafts
    begun = await drafts.begin(eve, "marginalia", {"name": CANARY, "about": CANARY}, by=f"person:{eve.id}")
    await allow(hub)
    await a_call(hub, eve, 1)

    items = await export(hub)

    assert len(items) == 1
    assert CANARY.lower() not in str(items).lower()
    assert begun.id not in str(items)


def test_who_says_yes_is_told_that_what_was_learned_is_not_unlearned() -> None:
    """DATA-07: from now on only, and taking it back reaches what comes later."""
    told = " ".join(TEXT)

    assert "from now on" in told
    assert "cannot be undone" in told or "not undone" in told
