"""The trail as a log that can be checked: checkpoints, proofs, verification, export."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from valetkey.api.asking import Needs, OnlyOperator, Rooms, Scope, actor_of, demand_act
from valetkey.api.paging import LARGEST, At, Page
from valetkey.api.shown_once import SHOWN_ONCE
from valetkey.api.trail import Readable
from valetkey.audit.checkpoint_repository import KeptCheckpoint, SinkState
from valetkey.audit.leaves import CALL, EVENT
from valetkey.audit.note import read_note, read_verifier_key
from valetkey.audit.proofs import Exported, Inclusion, hashes
from valetkey.audit.report import as_told
from valetkey.audit.watch import read_start
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act

router = APIRouter(prefix="/trail", tags=["trail"])

Reader = Annotated[Principal, Depends(Needs(Scope.TRAIL_READ, operator=True))]
Operator = Annotated[Principal, Depends(OnlyOperator())]
Number = Annotated[int, Path(ge=0, le=LARGEST)]


def _auditing(who: Reader) -> Principal:
    """What concerns the log as a whole: the operator, and who may read an organization's trail."""
    demand_act(who, Act.READ_TRAIL)
    return who


Auditor = Annotated[Principal, Depends(_auditing)]


class CheckpointShown(BaseModel):
    number: int
    at: datetime
    size: int = Field(description="How many records it covers.")
    root: str = Field(description="In base64, as in the note.")
    note: str = Field(description="The signed note: keep it elsewhere.")
    key: str = Field(description="The public key that signed it, as name+id+key.")
    watched: bool = Field(description="Whether it bears the mark of a watch key.")

    @classmethod
    def of(cls, one: KeptCheckpoint) -> CheckpointShown:
        return cls(
            number=one.number,
            at=one.at,
            size=one.size,
            root=base64.b64encode(one.root).decode(),
            note=one.note,
            key=one.verifier_key,
            watched=one.step is not None,
        )


class SinkShown(BaseModel):
    name: str
    delivered: int = Field(description="Number of the last checkpoint it took.")
    delivered_at: datetime | None
    failing_since: datetime | None
    reason: str

    @classmethod
    def of(cls, state: SinkState) -> SinkShown:
        return cls(
            name=state.name,
            delivered=state.delivered,
            delivered_at=state.delivered_at,
            failing_since=state.failing_since,
            reason=state.reason,
        )


class TrailStatus(BaseModel):
    key: str
    last: CheckpointShown | None
    broken: str = Field(description="Why nothing is signed any more; empty while all is well.")
    sinks: list[SinkShown]


class Against(BaseModel):
    model_config = ConfigDict(extra="forbid")

    since: str = Field(default="", max_length=70_000, description="A signed checkpoint that was kept elsewhere.")
    keys: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Keys that signed before the present one: name+id+key.",
    )
    watch_key: SecretStr = Field(default=SecretStr(""), max_length=200, description="The watch key's first value.")


class FindingShown(BaseModel):
    fault: str
    says: str
    record: int = Field(description="Number of the bad record; -1 where no single one is meant.")
    kind: str
    reference: str


class ReportShown(BaseModel):
    """`exit_code` is the one that `valetkey trail verify` ends with."""

    is_whole: bool
    exit_code: int
    size: int
    root: str
    records: int
    deleted: int
    checkpoints: int
    signed_size: int
    interrupted: int
    keys: list[str]
    keys_given: bool
    findings: list[FindingShown]


class InclusionShown(BaseModel):
    """Leaf hash: SHA-256 of 0x00 and `record`, exactly these characters; of an erased record, which is empty, `leaf`.

    Proof: RFC 9162 2.1.3.2, in hex.
    """

    index: int
    record: str
    proof: list[str]
    leaf: str = Field(default="", description="In hex; of an erased record only.")

    @classmethod
    def of(cls, one: Inclusion) -> InclusionShown:
        record, proof = one.record.decode(errors="replace"), hashes(one.proof)
        return cls(index=one.index, record=record, proof=proof, leaf="" if record else one.leaf.hex())


class ProvenRecord(InclusionShown):
    checkpoint: CheckpointShown


class ProvenConsistency(BaseModel):
    """Proof: RFC 9162 2.1.4.2, in hex."""

    before: CheckpointShown
    after: CheckpointShown
    proof: list[str]


class ExportShown(BaseModel):
    checkpoint: CheckpointShown
    records: list[InclusionShown]
    next_from: int | None = Field(description="Give it as `from` for the next page; null at the end.")

    @classmethod
    def of(cls, exported: Exported) -> ExportShown:
        return cls(
            checkpoint=CheckpointShown.of(exported.checkpoint),
            records=[InclusionShown.of(one) for one in exported.records],
            next_from=exported.next_from if exported.next_from >= 0 else None,
        )


class WatchKey(BaseModel):
    watch_key: str = Field(description="Shown this once: keep it off the hub's host.")


@router.get("/status", operation_id="trail_status")
async def trail_status(_who: Auditor, rooms: Rooms) -> TrailStatus:
    """Who signs, the last checkpoint, and how far each sink has them."""
    last = await rooms.trail_log.checkpoints.last()
    return TrailStatus(
        key=str(rooms.trail_log.checkpoints.verifier_key),
        last=CheckpointShown.of(last) if last else None,
        broken=rooms.trail_log.checkpoints.broken,
        sinks=[SinkShown.of(state) for state in await rooms.trail_log.checkpoints.sinks()],
    )


@router.get("/checkpoints", operation_id="list_checkpoints")
async def list_checkpoints(
    _who: Reader,
    rooms: Rooms,
    at: At,
) -> Page[CheckpointShown]:
    """Checkpoints, newest first. They tell nothing of what records hold: for everybody who may read a trail."""
    found = await rooms.trail_log.checkpoints.list(before=at.number, limit=at.one_more)
    return at.page(found, by=lambda one: (one.number,), newest_first=True, show=CheckpointShown.of)


@router.post("/checkpoints", operation_id="make_checkpoint")
async def make_checkpoint(_who: Auditor, rooms: Rooms) -> CheckpointShown:
    """Signs the log as it stands and sends it to the sinks; the last checkpoint when nothing was written since."""
    await rooms.trail_log.flush()
    made = await rooms.trail_log.checkpoints.make()
    await rooms.trail_log.checkpoints.deliver()
    return CheckpointShown.of(made)


@router.post("/verify", operation_id="verify_trail")
async def verify_trail(given: Against, _who: Auditor, rooms: Rooms) -> ReportShown:
    """Verifies the whole log, beside what is going on. Names the first bad record."""
    since = read_note(given.since) if given.since else None
    watch = given.watch_key.get_secret_value()
    await rooms.trail_log.flush()
    older_keys = tuple(map(read_verifier_key, given.keys))
    return ReportShown(**as_told(await rooms.trail_log.verify(since, read_start(watch) if watch else None, older_keys)))


@router.get("/proofs/calls/{call_id}", operation_id="prove_call")
async def prove_call(call_id: str, scope: Readable, rooms: Rooms) -> ProvenRecord:
    """That a call is in the log that was signed: one's own, the organization's, or any for the operator."""
    return _proven(await rooms.trail_log.proofs.of(CALL, call_id, scope))


@router.get("/proofs/events/{event_seq}", operation_id="prove_event")
async def prove_event(event_seq: Number, scope: Readable, rooms: Rooms) -> ProvenRecord:
    """That an event is in the log that was signed: one's own, the organization's, or any for the operator."""
    return _proven(await rooms.trail_log.proofs.of(EVENT, str(event_seq), scope))


@router.get("/proofs/consistency/{before}/{after}", operation_id="prove_consistency")
async def prove_consistency(before: Number, after: Number, _who: Reader, rooms: Rooms) -> ProvenConsistency:
    """That the log under checkpoint number `after` begins with the log under number `before`."""
    found = await rooms.trail_log.proofs.consistency(before, after)
    return ProvenConsistency(
        before=CheckpointShown.of(found.before), after=CheckpointShown.of(found.after), proof=hashes(found.proof)
    )


@router.get("/export", operation_id="export_trail")
async def export_trail(
    scope: Readable,
    rooms: Rooms,
    start: Annotated[int, Query(alias="from", ge=0, le=LARGEST, description="Number of the first record wanted.")] = 0,
    checkpoint: Annotated[int, Query(ge=0, le=LARGEST, description="Prove under this checkpoint; 0 for the last.")] = 0,
) -> ExportShown:
    """Records with their proofs, in order: one's own, the organization's, or all for the operator."""
    return ExportShown.of(await rooms.trail_log.proofs.export(scope, start=start, checkpoint=checkpoint))


@router.post("/watch-key", operation_id="begin_watch", openapi_extra=SHOWN_ONCE)
async def begin_watch(who: Operator, rooms: Rooms) -> WatchKey:
    """Begins a watch: shows the first value of a new key that evolves with every checkpoint, this once."""
    await rooms.trail.write("trail.watch_begun", actor=actor_of(who))
    first = await rooms.trail_log.begin_watch()
    # Its keeper must have it, and nobody else: the hub itself keeps only later values.
    return WatchKey(watch_key=first.reveal().decode())


def _proven(found: Inclusion) -> ProvenRecord:
    shown = InclusionShown.of(found)
    return ProvenRecord(**shown.model_dump(), checkpoint=CheckpointShown.of(found.checkpoint))
