"""Taking one's data along: all of it, nobody else's, no secret, and every record provably in the log."""

from __future__ import annotations

import inspect
import io
import json
import runpy
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tests.api.hub import Hub, open_hub
from tests.api.things import Things, give_things, write_call
from tests.conftest import FakeClock
from valetkey.audit.kept_results import KeptResults
from valetkey.audit.model import KeptOf, OfPerson
from valetkey.cli.call import read_result
from valetkey.cli.hub_client import Hub as CliHub
from valetkey.kernel.errors import BadInput
from valetkey.privacy.archive import Archive
from valetkey.privacy.consent import TEXT_HASH
from valetkey.store.database import Database
from valetkey.vault.day_keys import DayKeys

FILES = [
    "person", "sign-in", "connections", "receipts", "approvals", "consents", "settings", "calls",
    "results", "alerts", "holds", "events", "trail",
]  # fmt: skip
VERIFY = Path(__file__).parents[2] / "docs/verify_export.py"


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock) -> Hub:
    return await open_hub(sqlite_database, clock)


@pytest.fixture
def days(hub: Hub, keyring_database: Database, tmp_path: Path) -> DayKeys:
    return hub.keep_keys(keyring_database, tmp_path / "root.key")


@pytest.fixture
async def things(hub: Hub, days: DayKeys) -> Things:
    return await give_things(hub, "eve")


async def a_call(hub: Hub, days: DayKeys, login: str, call_id: str, said: bytes) -> None:
    person = hub.people[login]
    key = await days.key(person.id, person.organization_id, hub.clock.now().date().isoformat())
    await write_call(
        hub, person, call_id, hub.clock.now(), request=key.seal(b'{"name":"list"}', about=f"{call_id}:request"),
        response=key.seal(said, about=f"{call_id}:response"),
    )  # fmt: skip


async def taken(hub: Hub, login: str) -> dict[str, list[Any]]:
    """The archive as the API gives it, by file."""
    client, after = await hub.with_scopes(login), ""
    files: dict[str, list[Any]] = {}
    while after or not files:
        answer = await client.get("/data/export", params={"after": after})
        assert answer.status_code == 200, answer.text
        part = answer.json()
        files.setdefault(part["file"], []).extend(part["lines"])
        after = part["next_after"]
    return files


async def test_an_archive_has_every_file_and_what_calls_sent_and_got(hub: Hub, days: DayKeys, things: Things) -> None:
    await a_call(hub, days, "eve", "call_2", b'{"said":"hello"}')
    eve = hub.people["eve"]
    await hub.services.privacy.consents.give(eve, text_hash=TEXT_HASH, actor=f"person:{eve.id}")
    await hub.services.privacy.consents.withdraw(eve, actor=f"person:{eve.id}")

    files = await taken(hub, "eve")

    assert list(files) == FILES
    assert [line["kind"] for line in files["person"]] == ["archive", "person"]
    assert files["person"][1]["login"] == "eve"
    (connection,) = files["connections"]
    assert (connection["id"], connection["connector"]["name"]) == (things.connection.id, "GitHub")
    assert {line["kind"] for line in files["sign-in"]} == {"token"}
    (standing,) = files["approvals"]
    assert (standing["id"], standing["state"]) == (things.standing_id, "stands")
    (consent,) = files["consents"]
    assert consent["ended_at"] is not None
    assert [line["kind"] for line in files["settings"]] == ["profile"]
    opened = {line["id"]: (line["contents"], line["response"]) for line in files["calls"]}
    assert opened == {"call_2": ("shown", {"said": "hello"}), "call_1": ("none", None)}
    assert "training.consent_given" in [line["event"] for line in files["events"]]


async def test_an_archive_has_large_results_alerts_and_holds_and_says_from_where_each_thing_was_asked(
    hub: Hub, days: DayKeys, things: Things
) -> None:
    """DATA-10, CON-20: what was too large for the assistant is theirs too, and a hold is no secret."""
    eve = hub.people["eve"]
    key = await days.key(eve.id, eve.organization_id, hub.clock.now().date().isoformat())
    kept = KeptResults(hub.database)
    for call_id, said in (("call_1", [b'{"n":[1,', b"2]}"]), ("call_2", [b"no json"])):
        of = KeptOf(call_id, eve.id, eve.organization_id, key.day, len(said))
        await kept.keep(of, [key.seal(part, about=of.about(number)) for number, part in enumerate(said)])
    gone = KeptOf("call_3", eve.id, eve.organization_id, "2020-01-01", 1)
    await kept.keep(gone, [b"sealed under a key that is no more"])
    await kept.keep(KeptOf("call_9", "person_bob", "org_2", key.day, 1), [b"bobs"])
    await hub.services.privacy.holds.place(eve.organization_id, eve, "Case 7", actor="person:x")
    [alert] = await hub.services.alerts.list(eve.id)
    await hub.services.alerts.dismiss(eve.id, alert.id, by=f"person:{eve.id}")  # it is kept, so it is theirs

    files = await taken(hub, "eve")

    assert [(one["call_id"], one["contents"], one["result"]) for one in files["results"]] == [
        ("call_1", "shown", {"n": [1, 2]}), ("call_2", "shown", "no json"), ("call_3", "erased", None),
    ]  # fmt: skip
    assert [one["words"] for one in files["alerts"]] == ["10 of 12 calls failed."]
    assert [(one["reason"], one["for_everybody"]) for one in files["holds"]] == [("Case 7", False)]
    assert files["events"][0]["asked"]["ip"] == "127.0.0.1"


async def test_an_archive_holds_nothing_of_anybody_else(hub: Hub, days: DayKeys, things: Things) -> None:
    await a_call(hub, days, "bob", "call_of_bob", b'{"said":"a secret of bobs"}')
    bob = hub.people["bob"]
    wiki = await hub.services.connectors.add_custom(hub.people["ada"], name="Wiki of Bobs", url="https://t.example/mcp")
    await hub.services.connections.add(bob, wiki)

    written = json.dumps(await taken(hub, "eve"))

    for foreign in ("call_of_bob", bob.id, "Wiki of Bobs", "a secret of bobs", hub.people["ada"].id):
        assert foreign not in written


async def test_an_archive_holds_no_token_and_no_hash_of_one(hub: Hub, days: DayKeys, things: Things) -> None:
    secret, info = await hub.services.tokens.create_personal(hub.people["eve"], "mine", "/mcp", (), 3600.0)

    files = await taken(hub, "eve")

    written = json.dumps(files)
    assert info.id in written
    assert secret.reveal().decode() not in written
    assert secret.digest() not in written


async def test_contents_whose_key_is_destroyed_are_erased_and_the_rest_is_there(
    hub: Hub, days: DayKeys, things: Things
) -> None:
    await a_call(hub, days, "eve", "call_2", b"{}")
    await days.destroy(hub.people["eve"].id)

    files = await taken(hub, "eve")

    assert {line["id"]: line["contents"] for line in files["calls"]} == {"call_2": "erased", "call_1": "none"}


async def test_each_record_in_it_is_proven_to_a_program_that_knows_nothing_of_this_one(
    hub: Hub, days: DayKeys, things: Things, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = await taken(hub, "eve")
    path = tmp_path / "trail.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in files["trail"]))

    runpy.run_path(str(VERIFY))["main"](str(path), files["trail"][0]["key"])

    assert capsys.readouterr().out
    recorded = {json.loads(line["record"]).get("id") for line in files["trail"][1:]}
    assert "call_1" in recorded
    assert {json.loads(line["record"])["person_id"] for line in files["trail"][1:]} == {hub.people["eve"].id}


async def test_that_an_archive_was_taken_stands_in_the_trail_before_it_is_handed_out(
    hub: Hub, days: DayKeys, things: Things
) -> None:
    files = await taken(hub, "eve")

    eve = hub.people["eve"]
    events = [one for one in await hub.services.trail.list(OfPerson(eve.id)) if one.event == "data.exported"]
    assert [one.actor for one in events] == [f"person:{eve.id}"]
    assert files["events"][0]["event"] == "data.exported"


async def test_long_logs_come_in_parts_and_nothing_twice(hub: Hub, days: DayKeys, things: Things) -> None:
    eve = hub.people["eve"]
    for number in range(45):
        await write_call(hub, eve, f"call_{number:05}", hub.clock.now())

    ids = [line["id"] for line in (await taken(hub, "eve"))["calls"]]

    assert len(ids) == len(set(ids)) == 46


@pytest.mark.parametrize("after", ["calls", "1/calls", "{begun}/nothing", "{begun}/trail/x", "{begun}/events/x"])
async def test_nobody_begins_in_the_middle_so_that_nothing_would_be_written_down(
    hub: Hub, days: DayKeys, after: str
) -> None:
    eve = hub.people["eve"]
    if "{begun}" in after:
        first = await hub.services.exporting.part(eve, actor="x")
        after = after.format(begun=first.next_after.partition("/")[0])

    with pytest.raises(BadInput, match="no such part"):
        await hub.services.exporting.part(eve, after, actor="x")


def test_the_file_is_a_zip_that_is_written_while_it_is_read(clock: FakeClock) -> None:
    archive = Archive(clock.now())
    pieces = [archive.add("calls", [{"id": "1"}]), archive.add("calls", [{"id": "2"}]), archive.add("trail", [])]

    written = zipfile.ZipFile(io.BytesIO(b"".join([*pieces, archive.finish()])))

    assert written.namelist() == ["calls.jsonl", "trail.jsonl"]
    assert written.read("calls.jsonl") == b'{"id": "1"}\n{"id": "2"}\n'
    assert written.testzip() is None


async def test_a_large_result_comes_whole_by_api_and_command_to_its_person_and_to_nobody_else(
    hub: Hub, days: DayKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    """CON-20: the retrieving of what the assistant was told is kept."""
    eve, said = hub.people["eve"], b'{"content":[{"type":"text","text":"%b"}]}' % (b"y" * 400_000)
    key = await days.key(eve.id, eve.organization_id, hub.clock.now().date().isoformat())
    of = KeptOf("call_1", eve.id, eve.organization_id, key.day, 2)
    parts = [said[:262_144], said[262_144:]]
    await KeptResults(hub.database).keep(of, [key.seal(one, about=of.about(n)) for n, one in enumerate(parts)])

    answer = await (await hub.with_scopes("eve")).get("/calls/call_1/result")

    assert (answer.status_code, answer.content) == (200, said)
    for other in ("ada", "bob"):
        assert (await (await hub.with_scopes(other)).get("/calls/call_1/result")).status_code == 404
    asked: list[str] = []

    def send(method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        asked.append(f"{method} {path}")
        return 200, answer.content

    inspect.unwrap(cast("Callable[..., None]", read_result.callback))(CliHub(send), "call_1", as_json=True)
    assert json.loads(capsys.readouterr().out) == json.loads(said)
    assert asked == ["GET /api/v1/calls/call_1/result"]
