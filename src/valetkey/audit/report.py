"""A verification's report as JSON has it: the same from a hub and over a copy."""

from __future__ import annotations

import base64
from typing import Any

from valetkey.audit.verify import Report


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
