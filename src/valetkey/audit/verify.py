"""Verifying the trail: is it whole, is it what was signed, and if not, which record is the first bad one.

    1 records      each leaf hashes its record, stands where the record says, and the tables still hold what it tells
    2 deletions    what is missing was deleted by retention or erasure, as the log itself says, and no more than that
    3 head         the tree over the leaves is the one the head says
    4 smuggled     nothing lies in the tables that has no leaf
    5 checkpoints  each is signed, none is missing, and the log passed through every one of them
    6 since        it also passed through the checkpoint that somebody kept elsewhere

Only a checkpoint from elsewhere (a sink, an auditor's drawer) shows that the log was cut short or rewritten by who
could also sign. Looks at what there was when it began, while the hub goes on; needs no key but public ones, and the
watch key's first value if it is given.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from valetkey.audit import checkpoint_repository, verify_repository
from valetkey.audit.checkpoint_repository import KeptCheckpoint
from valetkey.audit.deletions import Deletions
from valetkey.audit.leaves import CALL, DELETION, EVENT, canonical, erased_by, payload_hash
from valetkey.audit.merkle import Frontier, leaf_hash
from valetkey.audit.note import Note, VerifierKey, read_note, read_verifier_key
from valetkey.audit.report import Fault, Finding, Report
from valetkey.audit.verify_repository import Head, LeafRow
from valetkey.audit.watch import first_bad_step
from valetkey.kernel.errors import BadInput

if TYPE_CHECKING:
    from valetkey.audit.verify_repository import Contents, Reading
    from valetkey.store.database import Database

_PAGE = 100
_MOST_FINDINGS = 20
_NO_PAYLOAD = payload_hash(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What the trail is held against. Without `keys`, those that the database itself names: good against accidents and
    against who could not sign, not against who put another key there.
    """

    keys: tuple[VerifierKey, ...] = ()
    since: Note | None = None
    watch: tuple[str, bytes] | None = None


async def verify(database: Database, against: Against, *, unfinished: int = 0) -> Report:
    """Looks at everything there was when it began. `unfinished` is how many begun calls the journals hold that the log
    will never get.
    """
    async with verify_repository.one_instant(database) as tx:
        kept, damaged = await _checkpoints(tx)
        head = await verify_repository.find_head(tx)
        end = await verify_repository.find_end(tx)
        deletions = await verify_repository.find_deletions(tx, start=0)
    since = against.since
    walk = _Walk(
        head or Head(0, b"", 0, ""),
        end,
        Deletions([leaf.record for leaf in deletions]),
        from_record=since.checkpoint.size if since else 0,
        stops={one.size for one in kept} | ({since.checkpoint.size} if since else set()),
    )
    await walk.through(database)
    if head is None:
        walk.found(Fault.TRUNCATED, "The log's head is gone.", record=0)
    async with database.read() as tx:
        smuggled = await verify_repository.find_smuggled(tx, walk.head)
    walk.look_at_head()
    for kind, reference in smuggled:
        walk.found(Fault.MOVED, f"There is {_a(kind)} without a record in the log.", kind=kind, reference=reference)
    keys = against.keys or tuple({str(key): key for one in kept if (key := _key(one))}.values())
    signed = _look_at_checkpoints(walk, kept, keys, against)
    if damaged:
        walk.found(Fault.SIGNATURE, "The checkpoints cannot be read: one holds something else.")
    if unfinished:
        walk.found(Fault.UNFINISHED, f"{unfinished} calls were begun whose record never reached the log.")
    return Report(
        size=walk.frontier.size,
        root=walk.frontier.root(),
        records=walk.looked_at,
        deleted=walk.deletions.missing,
        checkpoints=len(kept),
        signed_size=signed,
        interrupted=walk.interrupted,
        keys=tuple(map(str, keys)),
        keys_given=bool(against.keys),
        findings=tuple(walk.findings),
    )


async def _checkpoints(tx: Reading) -> tuple[list[KeptCheckpoint], bool]:
    """Those that can be read, up to the first that cannot; whether there is one."""
    kept: list[KeptCheckpoint] = []
    try:
        while some := await checkpoint_repository.find_from(tx, kept[-1].number + 1 if kept else -(2**62), limit=1000):
            kept += some
    except (TypeError, ValueError, OverflowError):
        return kept, True
    return kept, False


@dataclass(slots=True)
class _Walk:
    """From the first leaf to the last, and what was seen on the way."""

    head: Head
    end: int
    deletions: Deletions
    from_record: int
    stops: set[int]
    frontier: Frontier = field(default_factory=Frontier)
    roots: dict[int, bytes] = field(default_factory=dict)
    looked_at: int = 0
    interrupted: int = 0
    findings: list[Finding] = field(default_factory=list)

    def found(self, fault: Fault, says: str, *, record: int = -1, kind: str = "", reference: str = "") -> None:
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(Finding(fault, says, record, kind, reference))

    async def through(self, database: Database) -> None:
        """1 and 2. Ends at the first place where a record is missing: nothing after it can be in its place.

        Page by page, each in a short transaction: a long one would keep the write-ahead log from being emptied.
        """
        self._note_root()
        deletions_seen = self.end
        while self.frontier.size < self.end:
            start = self.frontier.size
            async with database.read() as tx:
                leaves = await verify_repository.find_leaves(tx, start, min(_PAGE, self.end - start))
                contents = await verify_repository.find_contents(
                    tx, [leaf for leaf in leaves if leaf.seq >= self.from_record]
                )
                # After the contents: what was deleted before they were read has its record by now.
                later = await verify_repository.find_deletions(tx, start=deletions_seen)
            self.deletions.add([leaf.record for leaf in later])
            deletions_seen = later[-1].seq + 1 if later else deletions_seen
            if not self._look_at_page(leaves, contents):
                return
            await asyncio.sleep(0)  # calls go on meanwhile
        for erased in self.deletions.wrongly_named(before=self.end):
            says = "This record, or another like it, was erased beyond what an erasure in the log erased."
            self.found(Fault.MODIFIED, says, record=erased)
        for record, reference in self.deletions.unexplained():
            says = "This call, or another like it, was deleted beyond what retention and erasure deleted."
            self.found(Fault.MOVED, says, record=record, kind=CALL, reference=reference)

    def _look_at_page(self, leaves: Sequence[LeafRow], contents: Contents) -> bool:
        """Whether there is no record missing among them."""
        for leaf in leaves:
            if leaf.seq != self.frontier.size:
                gap = f"The records from {self.frontier.size} to {leaf.seq - 1} were deleted."
                self.found(Fault.MOVED, gap, record=self.frontier.size)
                return False
            if by := erased_by(leaf.record):
                self._look_at_erased(leaf, by, contents)
            elif leaf.seq >= self.from_record:
                self._look_at(leaf, contents)
            self.frontier.append(leaf.hash)
            self._note_root()
        return bool(leaves)

    def _look_at(self, leaf: LeafRow, contents: Contents) -> None:
        self.looked_at += 1
        at = {"record": leaf.seq, "kind": leaf.kind, "reference": leaf.reference}
        if leaf_hash(leaf.record) != leaf.hash:
            self.found(Fault.MODIFIED, "The record is not the one that its leaf is the hash of.", **at)  # type: ignore[arg-type]  # its own names
            return
        record = _read(leaf.record)
        if record is None or record.get("kind") != leaf.kind or _reference(record) != leaf.reference:
            self.found(Fault.MODIFIED, "The record tells of something else than its leaf.", **at)  # type: ignore[arg-type]  # its own names
            return
        if record.get("seq") != leaf.seq:
            says = f"The record was written as number {record.get('seq')} and stands here as {leaf.seq}."
            self.found(Fault.MOVED, says, **at)  # type: ignore[arg-type]  # its own names
            return
        self.interrupted += leaf.kind == CALL and record.get("outcome") == "interrupted"
        if leaf.kind == DELETION:
            return
        content = contents.get((leaf.kind, leaf.reference))
        if content is None:
            if not self._is_explained(leaf, record):
                says = f"The {leaf.kind} was deleted, and no deletion in the log explains it."
                self.found(Fault.MOVED, says, **at)  # type: ignore[arg-type]  # its own names
            return
        differing = [name for name, value in record.items() if name != "seq" and content.get(name) != value]
        if differing and not self._is_erased(leaf.seq, record, content, differing):
            says = f"The {leaf.kind}'s {', '.join(sorted(differing))} changed after it was written."
            self.found(Fault.MODIFIED, says, **at)  # type: ignore[arg-type]  # its own names

    def _look_at_erased(self, leaf: LeafRow, by: str, contents: Contents) -> None:
        """The record is gone; its hash stays, and a deletion later in the log answers for it. So is what it told of."""
        self.looked_at += leaf.seq >= self.from_record
        if not self.deletions.names(by, leaf.seq, leaf.hash):
            says = "The record was erased, and no deletion in the log explains it."
            self.found(Fault.MODIFIED, says, record=leaf.seq, kind=leaf.kind, reference=leaf.reference)
        elif (leaf.kind, leaf.reference) in contents:
            says = f"The {leaf.kind} was erased, and is there again."
            self.found(Fault.MOVED, says, record=leaf.seq, kind=leaf.kind, reference=leaf.reference)

    def _is_explained(self, leaf: LeafRow, record: dict[str, str | int]) -> bool:
        """Whether what the record tells of was deleted by a deletion in the log, or is erased while we look."""
        if leaf.kind == CALL and self.deletions.explain(leaf.seq, leaf.reference, record):
            return True
        return self.deletions.is_being_erased(record, since=self.end)

    def _is_erased(
        self, seq: int, record: dict[str, str | int], content: dict[str, str | int], differing: Sequence[str]
    ) -> bool:
        """Whether no more is different than that payloads are gone, as a deletion in the log says."""
        gone = all(name in ("request", "response") and content.get(name) == _NO_PAYLOAD for name in differing)
        return gone and self.deletions.explains_payload(seq, record)

    def look_at_head(self) -> None:
        """3."""
        size, head = self.frontier.size, self.head
        if any(finding.record >= 0 for finding in self.findings):
            return  # it cannot agree, and what is wrong was said
        if size < head.size:
            says = f"The log ends after {size} records; its head says {head.size}."
            self.found(Fault.TRUNCATED, says, record=size)
        elif size > head.size:
            says = f"The log's head says {head.size} records, and there are {size}."
            self.found(Fault.MOVED, says, record=head.size)
        elif self.frontier.to_bytes() != head.peaks:
            self.found(Fault.FORKED, "The log's head is not the root over its records.")

    def hold_against(self, size: int, root: bytes, what: str, *, good_until: int) -> bool:
        """Whether the log passed through this checkpoint; says so if not."""
        if size > self.frontier.size:
            if not any(0 <= finding.record < size for finding in self.findings):
                says = f"The log ends after {self.frontier.size} records; {what} was over {size}."
                self.found(Fault.TRUNCATED, says, record=self.frontier.size)
            return False
        if self.roots[size] == root:
            return True
        if not any(0 <= finding.record < size for finding in self.findings):
            says = f"A record from {good_until} to {size - 1} is not the one that {what} was signed over."
            self.found(Fault.FORKED, says, record=good_until)
        return False

    def _note_root(self) -> None:
        if self.frontier.size in self.stops:
            self.roots[self.frontier.size] = self.frontier.root()


def _look_at_checkpoints(
    walk: _Walk, kept: Sequence[KeptCheckpoint], keys: Sequence[VerifierKey], against: Against
) -> int:
    """5 and 6. How many records a good checkpoint covers."""
    good_until = 0
    for expected, one in enumerate(kept, 1):
        if one.number != expected:
            walk.found(Fault.GAP, f"Checkpoint {expected} is missing.")
            break
        if says := _wrong_with(one, keys):
            walk.found(Fault.SIGNATURE, f"Checkpoint {one.number} {says}.")
        elif walk.hold_against(one.size, one.root, f"checkpoint {one.number}", good_until=good_until):
            good_until = one.size
        else:
            break  # those after it are over the same bad record
    since = against.since
    if since is not None and not any(key.has_signed(since) for key in keys):
        walk.found(Fault.SIGNATURE, "The checkpoint that was given is not signed by this log's key.")
    elif since is not None:
        given = since.checkpoint
        if walk.hold_against(
            given.size, given.root, "the checkpoint that was given", good_until=min(good_until, given.size)
        ):
            good_until = max(good_until, given.size)
    if against.watch is not None:
        number, why = first_bad_step(against.watch, [(one.step, one.note.encode()) for one in kept if one.step])
        if number:
            walk.found(Fault.SIGNATURE, f"Step {number} of the watch {why}.")
    return good_until


def _wrong_with(one: KeptCheckpoint, keys: Sequence[VerifierKey]) -> str:
    """What is wrong with a checkpoint in itself; empty for nothing."""
    try:
        note = read_note(one.note)
    except BadInput:
        return "is not a signed checkpoint"
    if not any(key.has_signed(note) for key in keys):
        return "is not signed by this log's key"
    if (note.checkpoint.size, note.checkpoint.root) != (one.size, one.root):
        return "stands in another's place: it is not over the size and root that are kept with it"
    return ""


def _key(one: KeptCheckpoint) -> VerifierKey | None:
    try:
        return read_verifier_key(one.verifier_key)
    except BadInput:
        return None


def _read(written: bytes) -> dict[str, str | int] | None:
    """The record, if it is one and is written canonically."""
    try:
        record = json.loads(written)
        return record if isinstance(record, dict) and canonical(record) == written else None
    except (ValueError, TypeError):
        return None


def _reference(record: dict[str, str | int]) -> str:
    return str(record.get("event_seq" if record.get("kind") == EVENT else "id"))


def _a(kind: str) -> str:
    return "an event" if kind == EVENT else "a call"
