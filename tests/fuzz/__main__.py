"""`./x fuzz [TARGET…] [--seconds N]`: coverage-guided, each target in a process of its own, with what it knows kept.

What is interesting is kept below `.cache/fuzz` from run to run. A finding is printed with where its bytes are and how
to play them again. Needs CPython 3.11 to 3.13 on Linux and x86-64: there is no wheel of atheris for others.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parents[2]
KEPT: Final = HERE / ".cache/fuzz"
_LIMITS: Final = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=4096", "-print_final_stats=1", "-verbosity=0")
_RUNS: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


def main(arguments: list[str]) -> int:
    from tests.fuzz.targets import TARGETS

    reads = argparse.ArgumentParser(prog="./x fuzz", description=__doc__.partition("\n\n")[0] if __doc__ else "")
    reads.add_argument("target", nargs="*", choices=[[], *TARGETS], help="all, unless some are named")
    reads.add_argument("--seconds", type=int, default=60, help="for each target (60; the nightly run takes 1800)")
    reads.add_argument("--replay", type=Path, metavar="FILE", help="plays one finding again, with its traceback")
    asked = reads.parse_args(arguments)
    if asked.replay is not None:
        if len(asked.target) != 1:
            reads.error("name the one target that FILE is for")
        TARGETS[asked.target[0]].read(asked.replay.read_bytes())
        print("Nothing was found.")
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("Fuzzing needs atheris, which comes for CPython 3.11 to 3.13 on Linux and x86-64.", file=sys.stderr)
        return 1
    found = [name for name in asked.target or TARGETS if not _fuzz(name, asked.seconds)]
    print(
        f"{len(found)} of {len(asked.target or TARGETS)} targets with a finding" + f": {', '.join(found)}" * bool(found)
    )
    return 1 if found else 0


def _fuzz(name: str, seconds: int) -> bool:
    """Whether nothing was found."""
    from tests.fuzz.targets import CORPUS, TARGETS

    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    words = KEPT / f"{name}.words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in TARGETS[name].dictionary))
    again = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
    command = [
        *(sys.executable, "-m", "tests.fuzz.run", name, str(folder), *again, *_LIMITS),
        *(f"-max_total_time={seconds}", f"-dict={words}", f"-artifact_prefix={KEPT}/{name}."),
    ]
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=HERE, env=os.environ, capture_output=True, text=True, errors="replace", check=False
    )
    runs = _RUNS.search(done.stderr)
    what = f"{int(runs[1]):,} inputs" if runs else "ended early"
    print(f"{'✗' if done.returncode else '✓'} {name:<17} {what} in {time.monotonic() - began:.0f} s, ", end="")
    print(f"{len(list(folder.iterdir()))} kept", flush=True)
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-30:] + done.stderr.splitlines()[-12:]), flush=True)
        print(f"Play it again: ./x fuzz {name} --replay FILE. Once mended, keep it in tests/fuzz/corpus/{name}/.")
    return done.returncode == 0


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
