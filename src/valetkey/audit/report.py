"""What a verification found; and as JSON has it, the same from a hub and over a copy."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """What can be wrong; `EXIT_CODES` has a number for each."""

    MODIFIED = "modified"  # a record's content is not what was written
    MOVED = "moved"  # a record was deleted, put in, or stands elsewhere
    TRUNCATED = "truncated"  # the log is shorter than it was
    FORKED = "forked"  # the log is another than the one that was signed
    SIGNATURE = "signature"  # a checkpoint is not by the key, or not marked by the watch key
    GAP = "gap"  # a checkpoint is missing
    UNFINISHED = "unfinished"  # calls were begun whose record never came


EXIT_CODES = {fault: 12 + place for place, fault in enumerate(Fault)}
"""For scripts: 12 modified … 18 unfinished. Ten more than security.md's, since 2 is wrong usage for every command."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `record` is the number of the (first) bad record, -1 where no single one is meant."""

    fault: Fault
    says: str
    record: int = -1
    kind: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, the first bad record first; `is_whole` when nothing was."""

    size: int
    root: bytes
    records: int
    deleted: int
    checkpoints: int
    signed_size: int
    interrupted: int
    keys: tuple[str, ...]
    keys_given: bool
    findings: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        return not self.findings

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.findings[0].fault] if self.findings else 0


def as_told(report: Report) -> dict[str, Any]:
    """With the exit code that `valetkey trail verify` ends with."""
    return {
        "is_whole": report.is_whole,
        "exit_code": report.exit_code,
        "size": report.size,
        "root": base64.b64encode(report.root).decode(),
        "records": report.records,
        "deleted": report.deleted,
        "checkpoints": report.checkpoints,
        "signed_size": report.signed_size,
        "interrupted": report.interrupted,
        "keys": list(report.keys),
        "keys_given": report.keys_given,
        "findings": [
            {
                "fault": one.fault.value,
                "says": one.says,
                "record": one.record,
                "kind": one.kind,
                "reference": one.reference,
            }
            for one in report.findings
        ],
    }
