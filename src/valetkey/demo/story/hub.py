"""The hub as its operator knows it, and what it means that a step was not seen."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class NotSeen(Exception):
    """A step did not show what it promises."""


def expect(seen: bool, otherwise: str) -> None:
    if not seen:
        raise NotSeen(otherwise)


@dataclass(frozen=True, slots=True)
class Hub:
    """A running hub, as its operator knows it: where it is, and the one-time link of its first start."""

    url: str
    data: Path
    root_key: Path
    log: Path
    sign_in_link: str

    def command(self, *arguments: str, ends_with: int = 0) -> Any:
        """What `valetkey … --json` prints, on the hub's own machine."""
        done = subprocess.run(  # noqa: S603 - our own command line
            [sys.executable, "-m", "valetkey", *arguments, "--data", self.data, "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != ends_with:
            raise NotSeen(f"valetkey {' '.join(arguments)}: {done.returncode}: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout)
