"""What `./x check` and `./x test` do, once the locks are installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from ctypes.util import find_library
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
_BROWSER = ["--no-install-recommends", "chromium", "fonts-dejavu-core", "libatomic1"]  # the last for its driver's Node
CHECKS = {
    "format": ["ruff", "format", "--check", "-q", "."],
    "lint": ["ruff", "check", "-q", "."],
    "types": ["mypy"],
    "contracts": ["lint-imports"],
    "security": ["bandit", "-q", "-r", "src", "-c", "pyproject.toml"],
}


def check() -> int:
    """All checks side by side, each with its seconds, and its output when it fails."""

    def run(command: list[str]) -> tuple[float, int, str]:
        start = time.monotonic()
        done = subprocess.run([BIN / command[0], *command[1:]], cwd=HERE, capture_output=True, text=True, check=False)
        return time.monotonic() - start, done.returncode, done.stdout + done.stderr

    failed = 0
    with ThreadPoolExecutor() as pool:
        results = {name: pool.submit(run, command) for name, command in CHECKS.items()}
        for name, result in results.items():
            seconds, code, output = result.result()
            failed += code != 0
            print(f"{'✗' if code else '✓'} {name:<10} {seconds:5.1f} s", flush=True)
            print(output if code else "", end="")
    return 1 if failed else 0


def test(arguments: list[str]) -> int:
    """pytest over all cores with the marks that were asked for; other arguments are pytest's."""
    marks, most = "not real and not long", 180
    if "--real" in arguments:
        install_real_parts()
        marks, most = "real", 420
    if "--long" in arguments:
        marks, most = "long", 7200
    rest = [argument for argument in arguments if argument not in ("--real", "--long")]
    # A test that ends its process is begun anew in the next, and would end one after the other: the second is enough.
    spread = ["-n", "logical", "--dist", "loadfile", "--max-worker-restart", "1"]
    command = [sys.executable, "-m", "pytest", *spread, "-m", marks, "--override-ini", f"faulthandler_timeout={most}"]
    command += rest
    with TemporaryDirectory(prefix="vk-test-", dir=_memory()) as directory:
        if "--basetemp" not in " ".join(rest):
            command += ["--basetemp", f"{directory}/here"]
        return _run(command)


def _memory() -> str | None:
    """Where files wait for no disk, if there is enough of it: a hub writes through, and tests start thousands."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30 else None


def _run(command: list[str]) -> int:
    # What is started in the background has Ctrl-C switched off, and so would have every program that a test starts.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Every hub that a test starts imports everything: compiling it anew each time takes four seconds of processor.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, cwd=HERE, env=env, check=False).returncode


def install_real_parts() -> None:
    """What `--real` needs beyond `.venv`: packages in `.cache/node` and `.cache/apart`, a Chromium and SoftHSM."""
    from tests.real import apart, node

    print("Packages for tests/real …", file=sys.stderr, flush=True)
    node.installed()
    apart.installed()
    if shutil.which("chromium") and shutil.which("softhsm2-util") and find_library("atomic"):
        return
    if os.getuid() != 0 or not os.environ.get("CI"):
        sys.exit("The real tests need Chromium and SoftHSM. On Debian: apt-get install chromium softhsm2 libatomic1")
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", *_BROWSER, "softhsm2"]):
        subprocess.run(command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, check=True)


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    sys.exit(check() if verb == "check" else test(rest))
