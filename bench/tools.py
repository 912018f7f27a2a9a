"""The two programs a measurement needs: an upstream and a load generator, each faster than what is measured.

Ours are C, compiled on the spot; without a compiler their Python twins stand in. A directory named by
VALETKEY_BENCH_TOOLS may hold others, `upstream.c` and `mcpload.c`, that take the same options.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Tools:
    """Commands to which options are added, and a word on what they are."""

    upstream: list[str]
    load: list[str]
    what: str


def find_tools(directory: Path) -> Tools:
    """The tools, built in `directory`."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    given = os.environ.get("VALETKEY_BENCH_TOOLS", "")
    if compiler is None:
        python = [sys.executable]
        return Tools([*python, str(HERE / "plain_upstream.py")], [*python, str(HERE / "plain_load.py")], "in Python")
    if given and (Path(given) / "upstream.c").exists() and (Path(given) / "mcpload.c").exists():
        sources, what = (Path(given) / "upstream.c", Path(given) / "mcpload.c"), "from VALETKEY_BENCH_TOOLS"
    else:
        sources, what = (HERE / "upstream.c", HERE / "load.c"), "in C"
    built = [_compile(compiler, source, directory / source.stem) for source in sources]
    return Tools([built[0]], [built[1]], what)


def _compile(compiler: str, source: Path, target: Path) -> str:
    subprocess.run([compiler, "-O2", "-o", str(target), str(source)], check=True)
    return str(target)
