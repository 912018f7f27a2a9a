"""The trail against a model: however it grows, is signed, pruned and erased, it verifies, from every checkpoint that
somebody kept; and one edit behind its back is found each time (T49).
"""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.audit.conftest import let_go_before
from tests.audit.test_verify import log_on
from tests.machines import Machine, play, several
from valetkey.audit.note import Note, read_note
from valetkey.audit.repository import CallRecords
from valetkey.audit.verify import Against, verify
from valetkey.store.database import Database

people = st.sampled_from(["per_ada", "per_grace"])
EDITS = {
    "a record is changed": "update trail_leaf set record = record || ' ' where seq = :seq",
    "a record is taken away": "delete from trail_leaf where seq = :seq",
    "a record changes places": "update trail_leaf set seq = 99999 where seq = :seq",
    "an act is changed": "update trail_event set actor = 'eve' where seq = (select max(seq) from trail_event)",
    "a call is changed": "update call_record set tool = 'erase' where id = (select max(id) from call_record)",
    "the head is changed": "update trail_head set size = size + 1",
}


class TrailMachine(Machine):
    @initialize()
    def begin(self) -> None:
        self.log = self.run(log_on(self.store(), self.clock))
        self.records = CallRecords(self.log.database)
        self.kept: list[Note] = []
        self.write(2, "per_ada")

    @rule(count=st.integers(1, 7), person=people)
    def write(self, count: int, person: str) -> None:
        self.run(self.log.write(count, person=person))

    @rule()
    def sign(self) -> None:
        self.run(self.log.checkpoints.make())
        last = self.run(self.log.checkpoints.last())
        assert last is not None
        self.kept.append(read_note(last.note))

    @rule()
    def restart(self) -> None:
        self.log = self.run(log_on(self.log.database, self.clock, self.log.signer))

    @rule(seconds=st.sampled_from([1, 5, 20]))
    def retention(self, seconds: int) -> None:
        self.run(let_go_before(self.log.database, self.clock.now() - timedelta(seconds=seconds)))

    @rule(person=people, whole=st.booleans())
    def somebody_is_erased(self, person: str, whole: bool) -> None:
        self.run((self.records.delete_for_person if whole else self.records.erase_payloads)(person))

    @rule()
    def it_is_whole(self) -> None:
        assert self.run(self.log.look()).findings == ()

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def it_is_whole_from_a_checkpoint_kept_elsewhere(self, data: st.DataObject) -> None:
        assert self.run(self.log.look(since=data.draw(st.sampled_from(self.kept)))).findings == ()

    @rule(edit=st.sampled_from(sorted(EDITS)), data=st.data())
    def an_edit_is_found(self, edit: str, data: st.DataObject) -> None:
        self.run(self.log.database.truncate_log())
        path = self.directory / "copy.db"
        shutil.copy(self.directory / "main.db", path)
        with sqlite3.connect(path) as copy:
            seqs = [seq for (seq,) in copy.execute("select seq from trail_leaf order by seq")]
            where = {"seq": data.draw(st.sampled_from(seqs))} if ":seq" in EDITS[edit] else {}
            changed = copy.execute(EDITS[edit], where)
        copy.close()
        assert self.run(self.look_at_a_copy()) is not bool(changed.rowcount)

    async def look_at_a_copy(self) -> bool:
        database = Database.sqlite(self.directory / "copy.db")
        report = await verify(database, Against(keys=(self.log.signer.verifier_key,)))
        await database.close()
        return report.is_whole


@several
def test_the_trail_is_whole_until_somebody_edits_it(runs: int) -> None:
    play(TrailMachine, runs=runs, steps=15)
