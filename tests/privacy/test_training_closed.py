"""Nothing opens training for an organization: no setting, field, role, scope, page, command or import (S-10 (a))."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.hub import Hub
from tests.cli.reference import commands
from tests.privacy.test_training import CANARY, a_call, events, export, hub
from valetkey.identity.model import Role
from valetkey.identity.roles import Act
from valetkey.identity.scopes import Scope
from valetkey.kernel.errors import StartRefused
from valetkey.privacy.consent import TEXT
from valetkey.settings import load_settings
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
async def test_no_field_of_a_request_gives_it_to_an_owner_or_the_operator(hub: Hub, name: str) -> None:
    ada = await hub.with_scopes("ada")
    home = hub.people["ada"].organization_id
    more: dict[str, Any] = {name: True}

    answers = [
        await ada.post("/data/level", json={"level": "full", **more}),
        await ada.post("/data/bounds", json={"kind": "floor", "level": "full", **more}),
        await ada.post("/data/retention", json={"contents": 60, **more}),
        await ada.post("/data/holds", json={"reason": "x", **more}),
        await ada.post("/people", json={"login": "new", **more}),
        await ada.put(f"/organizations/{home}/sign-in", json={"issuer": "https://x.example", "client_id": "x", **more}),
    ]
    async with hub.operator as operator:
        answers.append(await operator.post("/organizations", json={"name": "New", **more}))

    assert [one.status_code for one in answers] == [400] * len(answers), [one.text for one in answers]
    await a_call(hub, hub.people["ada"], 1)
    assert await export(hub) == []


async def test_a_canary_in_every_call_of_an_organization_is_in_no_row(hub: Hub) -> None:
    """S-10 (b), S-28: calls of all its members with the canary in every field, and not one row comes out."""
    for number, login in enumerate(("ada", "bob")):
        await a_call(hub, hub.people[login], number)

    items = await export(hub)

    assert (items, CANARY in str(items)) == ([], False)
    assert [one["items"] for one in await events(hub, "training.exported")] == [0]


def test_who_says_yes_is_told_that_what_was_learned_is_not_unlearned() -> None:
    """DATA-07: from now on only, and taking it back reaches what comes later."""
    told = " ".join(TEXT)

    assert "from now on" in told
    assert "cannot be undone" in told or "not undone" in told
