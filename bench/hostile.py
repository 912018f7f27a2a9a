"""`./x bench hostile`: how long a call takes while somebody else calls a service at its worst (T28).


One hub; Grace calls a service that is well, with and without Ada calling one that is hostile, again and again, in each
of the ways of `tests/gateway/hostile_service.py`. In each round both are measured, in random order; what counts is the
median of the ratios within the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx2
from tests.gateway.hostile_service import NAMES

from bench.plain_load import META, VERSION
from bench.sample import Sample, one
from bench.targets import (
    UPSTREAM_TOKEN,
    Target,
    connect,
    free_port,
    operator,
    sign_in,
    started,
    wait_for,
    wait_for_line,
)
from bench.tools import find_tools

CONNECTIONS = (1, 16)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two measurements of one round."""

    alone: Sample
    beside: Sample

    @property
    def ratio(self) -> float:
        return self.beside.p99 / self.alone.p99


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./x bench hostile", description=__doc__.partition(":")[2])
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each time (1)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="vk-bench-") as name:
        measure(Path(name), rounds=given.rounds, seconds=given.seconds)
    return 0


def measure(directory: Path, *, rounds: int, seconds: float) -> None:
    tools = find_tools(directory)
    port = free_port()
    well = [*tools.upstream, "-p", str(port), "-A", UPSTREAM_TOKEN[:12]]
    bad = [sys.executable, "-u", "-m", "tests.gateway.hostile_service"]
    with (
        started(well, directory / "well.log"),
        started(bad, directory / "bad.log") as hostile,
        open_hub(directory) as (hub, data, owner),
    ):
        wait_for(port)
        bad_port = wait_for_line(directory / "bad.log", hostile, r"^(\d+)$")
        grace = person(hub, data, "grace")
        slug, token = connect(hub, grace, data, "grace", f"http://127.0.0.1:{port}/mcp")
        target = Target("grace", f"http://127.0.0.1:{hub.rpartition(':')[2]}/c/{slug}/mcp", token, owner)
        ada = person(hub, data, "ada")
        bad_slug, bad_token = connect(hub, ada, data, "ada", f"http://127.0.0.1:{bad_port}/mcp")
        calling = [sys.executable, "-m", "bench.hostile", f"{hub}/c/{bad_slug}/mcp", bad_token]
        found: dict[tuple[str, int], list[Pair]] = {}
        for _ in range(rounds):
            for name, count in random.sample(
                [(name, count) for name in NAMES for count in CONNECTIONS], k=2 * len(NAMES)
            ):
                pair = {}
                for beside in random.sample([False, True], 2):
                    with beside_it([*calling, name] if beside else [], directory / "calls.log"):
                        pair[beside] = one(target, tools, connections=count, seconds=seconds)
                found.setdefault((name, count), []).append(Pair(pair[False], pair[True]))
    print(table(found))


def table(found: Mapping[tuple[str, int], Sequence[Pair]]) -> str:
    """A line for each way of being hostile: the others' p99 in ms, alone and beside it, and the ratio."""
    rows = [f"{'':<16}" + "".join(f"{f'{count} conns: p99 ms':>18}{'beside it':>11}{'×':>6}" for count in CONNECTIONS)]
    for name in NAMES:
        row = f"{name:<16}"
        for count in CONNECTIONS:
            pairs = found[name, count]
            alone, beside = (median(getattr(pair, side).p99 for pair in pairs) / 1000 for side in ("alone", "beside"))
            row += f"{alone:>18.2f}{beside:>11.2f}{median(pair.ratio for pair in pairs):>6.2f}"
        rows.append(row)
    for count in CONNECTIONS:
        everything = [pair.ratio for (_, at), pairs in found.items() if at == count for pair in pairs]
        rows.append(f"{count} connections, all together: p99 × {median(everything):.2f}")
    return "\n".join(rows)


@contextmanager
def open_hub(directory: Path) -> Iterator[tuple[str, Path, int]]:
    """A hub, its data and its process."""
    data, log = directory / "data", directory / "hub.log"
    command = [
        sys.executable, "-m", "valetkey", "serve", "--data", str(data), "--root-key", str(directory / "root.key"),
        "--port", "0", "--allow-network", "127.0.0.1/32", "--privacy-policy", "template",
    ]  # fmt: skip
    with started(command, log) as process:
        yield wait_for_line(log, process, r"^ready: (\S+)$"), data, process.pid


def person(hub: str, data: Path, login: str) -> str:
    """Adds somebody and signs them in; gives their token for the API."""
    operator(data, "user", "add", login)
    return sign_in(hub, operator(data, "user", "invite", login)["url"])


@contextmanager
def beside_it(command: list[str], log: Path) -> Iterator[None]:
    if not command:
        yield
        return
    with log.open("ab") as out, subprocess.Popen(command, stdout=out) as process:
        yield
        process.kill()


async def call_for_ever(url: str, token: str, name: str) -> None:
    """Ada's part: one call after the other. Prints a dot for each answer."""
    head = {
        "authorization": f"Bearer {token}", "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION, "mcp-method": "tools/call", "mcp-name": name,
    }  # fmt: skip
    params = {"name": name, "arguments": {}, "_meta": META}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        while True:
            answer = await client.post(url, json=message, headers=head)
            if answer.status_code != 200:
                raise SystemExit(f"{name}: {answer.status_code} {answer.text[:300]}")
            print(".", end="", flush=True)


if __name__ == "__main__":
    asyncio.run(call_for_ever(*sys.argv[1:]))
