"""`./x conformance`: the official suite in all its roles, in front of and behind a hub; one table, and what failed."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import httpx2

from tests.conformance.driver import driving
from tests.conformance.hub import Hub, reference_upstream, running_hub, shim
from tests.conformance.suite import HERE, REVISIONS, Row, node, run_authorization, run_client, run_server
from valetkey.demo.story.browser import Browser

ROLES = ("upstream", "server", "client", "authorization")


def rows(roles: list[str], revisions: list[str], keep: Path) -> Iterator[Row]:
    """Each run of the suite, one after another. `upstream` is the check of the reference upstream: no hub is in it."""
    if "upstream" in roles:
        yield from _upstream(revisions, keep)
    if {"server", "client", "authorization"} & set(roles):
        with running_hub(keep / "hub.log") as hub:
            if "server" in roles:
                yield from _server(hub, revisions, keep)
            if "client" in roles:
                yield from _client(hub, revisions, keep)
            if "authorization" in roles:
                yield _authorization(hub, keep)


def _upstream(revisions: list[str], keep: Path) -> Iterator[Row]:
    with reference_upstream(keep / "upstream.log", legacy_only=False) as url:
        for revision in revisions:
            row = run_server(url, revision, keep / f"upstream-{revision}", behind="")
            yield Row("upstream", revision, "no hub", row.finished, row.scenarios)


def _server(hub: Hub, revisions: list[str], keep: Path) -> Iterator[Row]:
    for era in ("modern", "legacy-only"):
        with ExitStack() as stack:
            legacy_only = era == "legacy-only"
            url = stack.enter_context(reference_upstream(keep / "upstream.log", legacy_only=legacy_only))
            account = hub.connect(hub.add(url, "none"))
            hub.switch_all_on(account)
            origin = stack.enter_context(shim(hub, hub.token(account.path), keep / "shim.log"))
            for revision in revisions:
                results = keep / f"server-{revision}-{era}"
                yield run_server(f"{origin}{account.path}", revision, results, behind=f"{era} upstream")


def _client(hub: Hub, revisions: list[str], keep: Path) -> Iterator[Row]:
    command = shlex.join([sys.executable, "-S", str(HERE / "adapter.py")])
    with driving(hub) as driver:
        for revision in revisions:
            environment = {**os.environ, "VALETKEY_DRIVER": driver}
            yield run_client(command, revision, keep / f"client-{revision}", environment)


def _authorization(hub: Hub, keep: Path) -> Row:
    port = _free_port()
    new = {
        "client_name": "Conformance",
        "redirect_uris": [f"http://127.0.0.1:{port}/callback"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    client = httpx2.post(f"{hub.url}/oauth/register", json=new, trust_env=False).raise_for_status().json()
    return run_authorization(
        hub.url,
        client["client_id"],
        f"{hub.url}/mcp",
        port,
        keep / "authorization",
        open_url=lambda url: _allow(hub.browser, url),
    )


def _allow(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.press("Allow")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def table(done: list[Row]) -> str:
    head = ("Role", "Revision", "In front of", "Passed", "Failed", "Not applicable", "Unscored: passed / failed")
    lines = [head, tuple("-" * len(title) for title in head)]
    for row in done:
        counted = [str(row.count(outcome)) for outcome in ("passed", "failed", "not applicable")]
        unscored = f"{row.count('passed', scored=False)} / {row.count('failed', scored=False)}"
        lines.append((row.role, row.revision, row.behind, *counted, unscored))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def failures(done: list[Row]) -> Iterator[str]:
    for row in done:
        for scenario in row.scenarios:
            if scenario.outcome == "failed":
                word = "" if scenario.scored else " (not scored)"
                yield f"✗ {row.role} {row.revision}, {row.behind}: {scenario.name}{word}"
                yield from (f"    {check.id}: {check.reason}" for check in scenario.failing)
            elif scenario.because:
                yield f"– {row.role} {row.revision}, {row.behind}: {scenario.name} is not applicable"
                yield f"    {scenario.because}"
            elif scenario.warned:
                yield f"! {row.role} {row.revision}, {row.behind}: {scenario.name} passed, with a warning"
                yield from (f"    {check.id}: {check.reason}" for check in scenario.warned)
        if not row.finished:
            yield f"✗ {row.role} {row.revision}, {row.behind}: the suite itself ended with an error"


def main(arguments: list[str]) -> int:
    """Exit code 0 if everything that is scored passed."""
    parser = argparse.ArgumentParser(prog="./x conformance", description=__doc__)
    parser.add_argument("--role", action="append", choices=ROLES, help="only this role; repeat for more")
    parser.add_argument("--revision", action="append", choices=REVISIONS, help="only this revision; repeat for more")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the suite's own results and all logs there")
    given = parser.parse_args(arguments)
    print("Installing the suite, if it is not there …", file=sys.stderr, flush=True)
    node()
    done = []
    with tempfile.TemporaryDirectory(prefix="valetkey-conformance-results-") as temporary:
        keep = given.keep or Path(temporary)
        keep.mkdir(parents=True, exist_ok=not given.keep)  # what an earlier run left would be counted again
        for row in rows(given.role or list(ROLES), given.revision or list(REVISIONS), keep.resolve()):
            passed, failed = row.count("passed"), row.count("failed")
            print(f"{row.role} {row.revision} {row.behind}: {passed} / {passed + failed}", file=sys.stderr, flush=True)
            done.append(row)
    if given.json:
        print(json.dumps([{**asdict(row), "good": row.is_good} for row in done], indent=1))
    else:
        print("\n".join([*failures(done), "", table(done)]))
    return 0 if all(row.is_good for row in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:] if sys.argv[1:2] == ["conformance"] else sys.argv[1:]))
