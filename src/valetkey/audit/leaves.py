"""What of an event or a call goes into the log: a canonical record, which the leaf is the hash of.

Canonical is RFC 8785 for flat objects of texts and whole numbers, so that anybody's encoder gives the same bytes. Of a
payload, and of an event's detail, only the hash is there: the payload can be erased and the log still verifies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
import orjson

CALL, EVENT, DELETION = "call", "event", "deletion"
RECORDS = "records"
"""What a deletion let go of when it erased the records themselves: `only` says so."""
_ERASED = b"erased "
_encode = msgspec.json.Encoder().encode


class CallLeaf(msgspec.Struct, gc=False, omit_defaults=True):
    """The record of a call. One is made per call, so it is a struct whose fields stand as canonical JSON sorts them.

    What came to be told later has a default, and is left out when there is nothing to tell: older leaves stay as made.
    """

    client: str
    connection_id: str
    connector: str
    day: str
    detail: str
    duration_us: int
    id: str
    kind: str
    label: str
    method: str
    organization_id: str
    origin: str
    outcome: str
    person_id: str
    request: str
    request_bytes: int
    response: str
    response_bytes: int
    rule: str
    seq: int
    started_at: int
    tool: str
    tool_class: str = ""


Leaf = tuple[str, str, Mapping[str, str | int] | CallLeaf]
"""Kind, reference and record of what is to be appended; its place in the log, `seq`, is added when it is."""
_LARGEST = 2**53 - 1  # beyond it, an I-JSON number is not the same everywhere


def canonical(record: Mapping[str, str | int]) -> bytes:
    """The record as canonical JSON. Raises `TypeError` for what is no text or whole number of at most 53 bits."""
    for value in record.values():
        kind = type(value)  # not `isinstance`: a bool is an int, and an enum a str
        if kind is str:
            continue
        if kind is not int or abs(int(value)) > _LARGEST:
            raise TypeError("a record of the log holds texts and whole numbers only")
    # Keys are ours and ASCII, where code points sort as RFC 8785's UTF-16 units do.
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def placed(record: Mapping[str, str | int] | CallLeaf, seq: int) -> bytes:
    """The canonical record of what stands at `seq` in the log."""
    if isinstance(record, CallLeaf):
        record.seq = seq
        return _encode(record)
    return canonical({**record, "seq": seq})


def call_record(columns: Mapping[str, Any], *, started_at: int) -> dict[str, str | int]:
    """Of a row of `call_record`; `started_at` in microseconds since 1970."""
    record = dict(columns)
    record["kind"] = CALL
    record["started_at"] = started_at
    record["request"] = payload_hash(record["request"])
    record["response"] = payload_hash(record["response"])
    if not record["tool_class"]:
        del record["tool_class"]
    return record


def event_record(columns: Mapping[str, Any], *, at: int) -> dict[str, str | int]:
    """Of a row of `trail_event`; `at` in microseconds since 1970. What nobody asked for has no `asked`, as of old."""
    record = dict(columns)
    record["kind"] = EVENT
    record["event_seq"] = record.pop("seq")
    record["at"] = at
    record["detail"] = detail_hash(record["detail"])
    if asked := record.pop("asked"):
        record["asked"] = detail_hash(asked)
    return record


def payload_hash(sealed: bytes | None) -> str:
    """SHA-256 in hex of what is stored, that is, of ciphertext; empty for none."""
    return "" if sealed is None else sha256(sealed).hexdigest()


def detail_hash(detail: Any) -> str:
    """The same for whatever order of keys the database gives back."""
    return sha256(json.dumps(detail, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def erased(deletion: str) -> bytes:
    """What stands in the place of a record that this deletion erased."""
    return _ERASED + deletion.encode()


def erased_by(record: bytes) -> str:
    """The id of the deletion that erased this record; empty for one that is there."""
    return record.removeprefix(_ERASED).decode(errors="replace") if record.startswith(_ERASED) else ""


class Erasing:
    """Which leaves a deletion erased: how many, and a hash over their places and hashes, in their order."""

    def __init__(self) -> None:
        self._over = sha256()
        self.leaves = 0

    def add(self, seq: int, leaf: bytes) -> None:
        self._over.update(seq.to_bytes(8, "big") + leaf)
        self.leaves += 1

    def hex(self) -> str:
        return self._over.hexdigest()
