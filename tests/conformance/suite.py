"""The official conformance suite: installed as its lock says, run in one of its roles, and its results read back."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.real.node import Node, installed

HERE: Final = Path(__file__).resolve().parent
REVISIONS: Final = ("2025-11-25", "2026-07-28")
SCRIPT: Final = "@modelcontextprotocol/conformance/dist/index.js"
SCENARIO_MILLISECONDS: Final = 600_000
"""For a client scenario. The suite starts all of them at once, and we play them one after another."""

INAPPLICABLE: Final[Mapping[tuple[str, str, str], tuple[str, str]]] = {
    # Revision, in front of what, scenario: the one thing the suite then says, and why the specification does not mean
    # it there.
    ("2026-07-28", "legacy-only upstream", "input-required-result-basic-elicitation"): (
        'inputRequests missing expected key "user_name"',
        "keys of inputRequests are the server's to assign (SEP-2322, Core Types); a service of before 2026-07-28 asks "
        "by a request with an id and has no key that a gateway could pass on, so the key is the gateway's",
    ),
}

_PREFIX: Final = {"server": "server-", "client": "", "authorization": "authorization-server-"}
_STAMP = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that did not hold, and what the suite says about it."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """What became of a scenario: `passed`, `failed`, or `not applicable`, which is to say that it checked nothing."""

    name: str
    outcome: str
    scored: bool
    failing: tuple[Check, ...] = ()
    warned: tuple[Check, ...] = ()
    """What a server should do and did not; the suite lets it pass."""
    because: str = ""
    """Why the specification does not mean this here, for a scenario that is not applicable although it checked."""


@dataclass(frozen=True, slots=True)
class Row:
    """One run of the suite: in which role, at which revision, in front of what. `finished` is its own last word."""

    role: str
    revision: str
    behind: str
    finished: bool
    scenarios: tuple[Scenario, ...]

    def count(self, outcome: str, *, scored: bool = True) -> int:
        return sum(one.outcome == outcome and one.scored == scored for one in self.scenarios)

    @property
    def is_good(self) -> bool:
        return self.finished and not self.count("failed") and self.count("passed") > 0


@cache
def node() -> Node:
    return installed(HERE, into="node-conformance")


def scored(role: str, revision: str) -> frozenset[str]:
    """The scenarios that a revision requires of this role."""
    listed = _run(["list", "--requirements", revision], {}).stdout
    required = listed.partition("Run and reported")[0]
    sections = dict(re.findall(r"^(Server|Client) scenarios[^\n]*\n((?: +- \S+\n)+)", required, re.MULTILINE))
    return frozenset(re.findall(r"- (\S+)", sections[role.capitalize()]))


def run_server(url: str, revision: str, results: Path, *, behind: str) -> Row:
    """The scenarios for a server at this revision, against `url`."""
    done = _run(["server", "--url", url, "--requirements", revision, "-o", str(results)], {}, log=results)
    return excused(_row("server", revision, behind, done.returncode, results))


def excused(row: Row) -> Row:
    """The row with what is in `INAPPLICABLE` set apart: only where that is all that failed."""
    scenarios = []
    for one in row.scenarios:
        reason, why = INAPPLICABLE.get((row.revision, row.behind, one.name), ("", ""))
        if reason and [check.reason for check in one.failing] == [reason]:
            one = replace(one, outcome="not applicable", failing=(), because=why)
        scenarios.append(one)
    return replace(row, scenarios=tuple(scenarios))


def run_client(command: str, revision: str, results: Path, environment: Mapping[str, str]) -> Row:
    """The scenarios for a client at this revision; `command` is the client."""
    arguments = ["client", "--command", command, "--requirements", revision]
    arguments += ["--timeout", str(SCENARIO_MILLISECONDS), "-o", str(results)]
    done = _run(arguments, environment, log=results)
    return _row("client", revision, "the suite's own servers", done.returncode, results)


def run_authorization(
    issuer: str, client_id: str, resource: str, port: int, results: Path, *, open_url: Callable[[str], object]
) -> Row:
    """The scenarios for an authorization server. `open_url` is the person at the address that the suite prints."""
    command = node().command(SCRIPT, "authorization", "--url", issuer, "--client-id", client_id)
    command += ["--resource", resource, "-p", str(port), "-o", str(results)]
    results.mkdir(parents=True, exist_ok=True)
    with (
        (results / "log.txt").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            if (match := re.search(rf"{re.escape(issuer)}/oauth/authorize\?\S+", line)) is not None:
                open_url(match[0])
    return _row("authorization", "any", "the hub's own", process.returncode, results)


def _run(arguments: list[str], environment: Mapping[str, str], *, log: Path | None = None) -> Any:
    command = node().command(SCRIPT, *arguments)
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=HERE.parent.parent, capture_output=True, text=True, check=False
    )
    if log is not None:
        log.mkdir(parents=True, exist_ok=True)
        (log / "log.txt").write_text(done.stdout + done.stderr)
    return done


def _row(role: str, revision: str, behind: str, code: int, results: Path) -> Row:
    found = dict(_read(role, results))
    required = scored(role, revision) if role != "authorization" else frozenset(found)
    scenarios = [judged(role, name, checks, scored=name in required) for name, checks in sorted(found.items())]
    missing = Check("not-run", "the suite left no result")
    scenarios += [Scenario(name, "failed", True, (missing,)) for name in sorted(required - found.keys())]
    finished = code == 0 or any(one.outcome == "failed" and one.scored for one in scenarios)
    return Row(role, revision, behind, finished, tuple(scenarios))


def _read(role: str, results: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for path in sorted(results.rglob("checks.json")):
        name = _STAMP.sub("", path.parent.relative_to(results).as_posix())
        yield name.removeprefix(_PREFIX[role]), json.loads(path.read_text())


def judged(role: str, name: str, checks: list[dict[str, Any]], *, scored: bool) -> Scenario:
    # The suite's own rule: a client may not even be warned about.
    bad = {"FAILURE", "WARNING"} if role == "client" else {"FAILURE"}
    failing = tuple(Check(one["id"], _reason(one)) for one in checks if one["status"] in bad)
    warned = tuple(Check(one["id"], _reason(one)) for one in checks if one["status"] == "WARNING")
    if failing:
        return Scenario(name, "failed", scored, failing, warned)
    held = warned or any(one["status"] == "SUCCESS" for one in checks)
    return Scenario(name, "passed" if held else "not applicable", scored, (), warned)


def _reason(check: Mapping[str, Any]) -> str:
    details = check.get("details") or {}
    said = check.get("errorMessage") or details.get("message") or check.get("description") or ""
    return " ".join(str(said).split())[:300]
