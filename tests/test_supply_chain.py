"""What is installed is what the locks say, and nothing runs before we do (T50, first cut)."""

from __future__ import annotations

import re
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

LOCKS = Path(__file__).resolve().parent.parent / "requirements"
SITE = Path(sysconfig.get_paths()["purelib"])

PATH_FILES = {
    # A .pth file may run code at every start of Python: each one here is known and says only where to look.
    "valetkey.pth": "our own source folder",
    "a1_coverage.pth": "coverage's, to measure child processes; in development only",
    "_virtualenv.pth": "written by the tool that makes the environment",
    "distutils-precedence.pth": "setuptools' own, where an environment came with it",
}


def _locked() -> dict[str, str]:
    lines = (LOCKS / "dev.txt").read_text() + (LOCKS / "run.txt").read_text()
    return {_plain(name): version for name, version in re.findall(r"^([\w.-]+)==([\w.!+-]+)", lines, re.MULTILINE)}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_installed_distribution_is_the_locked_version() -> None:
    locked = _locked()
    bootstrap = {"pip", "setuptools", "wheel", "valetkey"}

    installed = {_plain(one.name): one.version for one in distributions(path=[str(SITE)])}

    strangers = {name: version for name, version in installed.items() if locked.get(name) != version}
    assert {name: version for name, version in strangers.items() if name not in bootstrap} == {}


def test_nothing_runs_at_the_start_of_python_but_what_is_known() -> None:
    found = {path.name for path in SITE.glob("*.pth")}

    assert sorted(found - PATH_FILES.keys()) == []
    assert not [name for name in ("sitecustomize", "usercustomize") if name in sys.modules and _is_ours(name)]


def _is_ours(name: str) -> bool:
    return str(getattr(sys.modules[name], "__file__", "")).startswith(str(SITE))


def test_our_own_path_file_names_one_folder_and_runs_nothing() -> None:
    path_file = SITE / "valetkey.pth"
    lines = path_file.read_text().split() if path_file.exists() else []

    assert [line for line in lines if not Path(line).is_dir()] == []
