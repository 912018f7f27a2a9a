"""What is installed is what the locks say, nothing runs before we do, and our own code keeps its own rules (T50)."""

from __future__ import annotations

import ast
import re
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from tests import supply

HERE = Path(__file__).resolve().parent.parent
LOCKS = HERE / "requirements"
SOURCE = HERE / "src/valetkey"
SITE = Path(sysconfig.get_paths()["purelib"])

PATH_FILES = {
    # A .pth file may run code at every start of Python: each one here is known and says only where to look.
    "valetkey.pth": "our own source folder",
    "a1_coverage.pth": "coverage's, to measure child processes; in development only",
    "_virtualenv.pth": "written by the tool that makes the environment",
    "distutils-precedence.pth": "setuptools' own, where an environment came with it",
}


def _locked() -> dict[str, str]:
    lines = "".join((LOCKS / lock).read_text() for lock in supply.LOCKS)
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


def test_every_lock_agrees_with_the_others_about_every_version() -> None:
    """Else what was audited, or listed in the bill of materials, would not be what runs."""
    versions: dict[str, set[str]] = {}
    for lock in supply.LOCKS:
        for name, version in re.findall(r"^([\w.-]+)==([\w.!+-]+)", (LOCKS / lock).read_text(), re.MULTILINE):
            versions.setdefault(_plain(name), set()).add(version)

    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


# --- an audit that could not ask is no audit --------------------------------------------------------------------------


def _package(name: str, *weak: str, skipped: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "version": "1.0", "vulns": [{"id": one, "fix_versions": []} for one in weak]}
    return {"name": name, "skip_reason": skipped} if skipped else found


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([_package("a"), _package("b")], 0, "✓ run.txt     2 packages asked for, 0 weaknesses"),
        ([_package("a", "CVE-1")], 1, "✗ a 1.0: CVE-1, mended in no version yet"),
        ([_package("a", skipped="not found"), _package("b", skipped="not found")], 2, "NOT AUDITED"),
        ([_package("a"), _package("b", skipped="not found")], 2, "NOT AUDITED: b"),
        ([_package("a", "CVE-1"), _package("b", skipped="not found")], 1, "NOT AUDITED: b"),
        ([], 2, "NOT AUDITED"),
    ],
    ids=["clean", "weak", "unreached", "half reached", "weak and half reached", "empty"],
)
def test_an_audit_is_green_only_when_every_package_was_asked_for(
    packages: list[dict[str, Any]], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert supply.told("run.txt", {"dependencies": packages}) == code

    printed = capsys.readouterr().out
    assert said in printed
    assert ("✓" in printed) is (code == 0)


def test_a_lock_that_is_not_the_bill_is_noticed() -> None:
    names = re.findall(r"^([\w.-]+)==([\w.!+-]+)", (LOCKS / "run.txt").read_text(), re.MULTILINE)
    hashed = [{"content": "00", "alg": "SHA-256"}]
    parts = [{"name": name, "version": version, "purl": "pkg:x", "hashes": hashed} for name, version in names]

    assert supply.missing({"components": parts}) == []
    assert len(supply.missing({"components": parts[1:]})) == 1
    assert len(supply.missing({"components": [*parts[1:], parts[0] | {"version": "0"}]})) == 1
    assert len(supply.missing({"components": [*parts[1:], parts[0] | {"hashes": []}]})) == 1


# --- rules of our own -------------------------------------------------------------------------------------------------


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield f"{where}:{node.lineno}", node


_LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "msg", "log"}


def _is_logging(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _LEVELS:
        return False
    return re.search(r"\blog(ger|ging)?\b|get_logger", ast.unparse(call.func.value)) is not None


def _is_put_together(node: ast.expr) -> bool:
    return isinstance(node, (ast.JoinedStr, ast.BinOp)) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join")
    )


def test_no_event_of_a_log_is_put_together_from_values() -> None:
    """An event is a fixed sentence, values are its fields: else a value could be a second event, or a secret."""
    logging = [(where, call) for where, call in _calls() if _is_logging(call)]

    assert len(logging) >= 20
    assert [where for where, call in logging if not call.args or _is_put_together(call.args[0])] == []
    assert [where for where, call in logging if not isinstance(call.args[0], ast.Constant)] == []


_SQL = re.compile(
    r"^\s*(select\s.+\sfrom|insert\s+into|update\s+\w+\s+set|delete\s+from|(create|drop|alter)\s+(table|index)|pragma\s+\w+)\b",
    re.I | re.S,
)


def test_no_sql_stands_outside_the_store_and_the_repositories() -> None:
    keepers = ("store/", "demo/")  # and the story, which plays a thief at the files
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in sorted(SOURCE.rglob("*.py"))
        if not path.name.endswith("repository.py") and not path.relative_to(SOURCE).as_posix().startswith(keepers)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SQL.match(node.value)
    ]

    assert found == []


_DANGEROUS = {
    # What turns text into code or commands, or a check off: by the name it is called by.
    "eval": "runs text",
    "exec": "runs text",
    "compile": "prepares text to be run",
    "__import__": "imports what a value names",
    "os.system": "a shell",
    "os.popen": "a shell",
    "yaml.load": "makes objects",
    "tempfile.mktemp": "a name somebody else may take first",
    "ssl._create_unverified_context": "believes anybody",
    "hashlib.md5": "broken",
    "hashlib.sha1": "broken",  # but as a name that somebody else's format prescribes, when it says so
}


def test_nothing_dangerous_is_called() -> None:
    called = [
        f"{where} calls {ast.unparse(call.func)}"
        for where, call in _calls()
        if ast.unparse(call.func) in _DANGEROUS and "usedforsecurity=False" not in map(ast.unparse, call.keywords)
    ]
    shells = [where for where, call in _calls() for each in call.keywords if each.arg == "shell"]
    unchecked = [
        where
        for where, call in _calls()
        for each in call.keywords
        if each.arg in ("verify", "verify_mode", "check_hostname", "follow_redirects", "trust_env")
        and isinstance(each.value, ast.Constant)
        and each.value.value is (each.arg in ("follow_redirects", "trust_env"))
    ]

    assert called + shells + unchecked == []
