"""One measurement of one target."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from bench.targets import Target
from bench.tools import Tools


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement. Times in microseconds, memory in MB."""

    rps: float
    p50: float
    p99: float
    cpu: float
    memory: float


def one(target: Target, tools: Tools, *, connections: int, seconds: float) -> Sample:
    command = [
        *tools.load, "-u", target.url, "-c", str(connections), "-d", str(seconds), "-w", str(min(0.5, seconds / 4)),
        "-t", target.token, "-P", "2026-07-28",
    ]  # fmt: skip
    before = target.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    cpu = target.cpu_seconds() - before
    if done.returncode:
        raise SystemExit(f"bench: {target.name} answered wrongly: {done.stdout}{done.stderr[:2000]}")
    found = json.loads(done.stdout)
    return Sample(
        rps=found["rps"], p50=found["p50_us"], p99=found["p99_us"],
        cpu=cpu / max(1, found["calls"]) * 1e6, memory=target.memory(),
    )  # fmt: skip
