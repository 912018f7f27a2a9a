"""The steps about keys and trail are not hollow: a failed call, and a report about another record, are noticed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from valetkey.demo.story.hub import Hub, NotSeen
from valetkey.demo.story.keys_and_trail import edited_and_found, rotated_while_calling, verified


class Told(Hub):
    """A hub whose commands print what the test says."""

    says: dict[str, Any]

    def command(self, *arguments: str, ends_with: int = 0) -> Any:
        said = self.says[" ".join(arguments[:2])]
        return said.pop(0) if isinstance(said, list) else said


def told(tmp_path: Path, says: dict[str, Any]) -> Told:
    hub = Told("http://localhost:1", tmp_path, tmp_path / "root.key", tmp_path / "log.txt", "")
    object.__setattr__(hub, "says", says)
    return hub


STATUS = {"organization_keys_on_older_roots": 0, "data_keys_on_older_keys": 0, "roots": [{"version": 2}]}


@pytest.mark.parametrize(
    ("result", "status", "noticed"),
    [
        ({"isError": True, "content": []}, STATUS, "calls failed"),
        ({}, STATUS | {"data_keys_on_older_keys": 3}, "3 keys are left"),
    ],
)
def test_a_call_that_failed_meanwhile_and_a_key_left_behind_are_noticed(
    tmp_path: Path, result: dict[str, Any], status: dict[str, Any], noticed: str
) -> None:
    hub = told(tmp_path, {"key rotate": {}, "org list": {"items": []}, "key status": status})

    with pytest.raises(NotSeen, match=noticed):
        rotated_while_calling(hub, lambda: result)


def test_a_trail_that_is_signed_only_in_part_is_noticed(tmp_path: Path) -> None:
    report = {"is_whole": True, "findings": [], "signed_size": 3, "size": 4, "checkpoints": 1}

    with pytest.raises(NotSeen, match="signed up to 3 of 4"):
        verified(told(tmp_path, {"trail checkpoint": {"size": 4, "number": 1, "key": "k"}, "trail verify": report}))


def test_naming_another_record_than_the_edited_one_is_noticed(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "valetkey.db") as database:
        database.execute("create table call_record (id, outcome, tool)")
        database.execute("insert into call_record values ('call_1', 'ok', 'x_read_note')")
    database.close()
    whole = {"is_whole": True, "findings": [], "size": 4}
    wrong = {"is_whole": False, "findings": [{"reference": "call_2", "record": 2, "says": "…"}], "size": 4}

    with pytest.raises(NotSeen, match="edited was call_1"):
        edited_and_found(told(tmp_path, {"trail status": {"key": "k"}, "trail verify": [whole, wrong]}))
