"""Python programs whose parts disagree with ours: installed as their lock says, in an environment below `.cache`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
_LOCK = _ROOT / "requirements/apart.txt"
_PLACE = _ROOT / ".cache/apart"


def installed() -> Path:
    """The folder of the programs, its `python` among them. Processes that ask at once wait for the first."""
    _PLACE.mkdir(parents=True, exist_ok=True)
    venv, stamp = _PLACE / "venv", _PLACE / "installed.txt"
    wanted = f"{sys.version_info[:2]} {hashlib.sha256(_LOCK.read_bytes()).hexdigest()}"
    with (_PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)  # an interrupted installation is none
            _install(venv)
            stamp.write_text(wanted)
    return venv / "bin"


def _install(venv: Path) -> None:
    uv = shutil.which("uv") or str(_ROOT / ".tools/bin/uv")  # as ./x has it
    environment = os.environ | {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    for command in (
        [uv, "venv", "-q", "--clear", "--python", sys.executable, str(venv)],
        [uv, "pip", "sync", "-q", "--python", str(venv / "bin/python"), "--require-hashes", str(_LOCK)],
    ):
        subprocess.run(command, env=environment, check=True)
