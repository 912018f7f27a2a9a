"""Measures the targets side by side and prints medians and ratios.

In each round each target is measured once at each number of connections, in random order, while the others are stopped.
A ratio is the median of the ratios within the rounds, so that what disturbs a whole round cancels out.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from statistics import median

from bench.hostile import main as bench_hostile
from bench.sample import Sample, one
from bench.targets import Target, open_targets
from bench.tools import Tools, find_tools
from bench.vault import main as bench_vault

CONNECTIONS = (1, 16, 64)


Samples = Mapping[tuple[str, int], Sequence[Sample]]


def main(arguments: Sequence[str]) -> int:
    """0, or 1 when an answer was wrong."""
    parser = argparse.ArgumentParser(
        prog="./x bench",
        description="How fast a call is, beside nginx and nothing; `./x bench vault`: how fast the vault is; "
        "`./x bench hostile`: what others feel of a service at its worst.",
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each time (2)")
    parser.add_argument("--json", action="store_true", help="print one last line with the figures as JSON")
    if arguments[:1] == ["vault"]:
        given = parser.parse_args(arguments[1:])
        return bench_vault(()) or bench_split(rounds=given.rounds, seconds=given.seconds)
    if arguments[:1] == ["hostile"]:
        return bench_hostile(arguments[1:])
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="vk-bench-") as name:
        directory = Path(name)
        tools = find_tools(directory)
        with open_targets(directory, tools) as targets:
            print(f"{platform.machine()}, Python {platform.python_version()}, upstream and load {tools.what}")
            samples = measure(targets, tools, rounds=given.rounds, seconds=given.seconds)
    print(table(samples))
    if "nginx" not in targets:
        print("nginx is not installed, so there is no ratio to it.")
    print(cost_of_split(samples))
    if given.json:
        print(json.dumps(figures(samples)))
    return 0


def bench_split(*, rounds: int, seconds: float) -> int:
    """What a vault in a process of its own adds to a call, nothing else being measured with it."""
    with tempfile.TemporaryDirectory(prefix="vk-bench-") as name:
        directory = Path(name)
        tools = find_tools(directory)
        with open_targets(directory, tools, only_hubs=True) as targets:
            samples = measure(targets, tools, rounds=rounds, seconds=seconds, counts=(1, 16))
    print(cost_of_split(samples))
    for (what, count), found in sorted(samples.items(), key=lambda item: item[0][1]):
        each = " ".join(f"{one.p50 / 1000:.2f}" for one in found)
        print(f"{what:<10}{count:>4} connections  p50 ms by round {each}  CPU {middle(found, 'cpu'):.0f} µs/call")
    return 0


def measure(
    targets: Mapping[str, Target], tools: Tools, *, rounds: int, seconds: float, counts: Sequence[int] = CONNECTIONS
) -> Samples:
    samples: dict[tuple[str, int], list[Sample]] = {}
    proxies = [target for target in targets.values() if target.name != "direct"]
    for target in proxies:
        target.stop()
    try:
        for _ in range(rounds):
            plan = [(target, count) for target in targets.values() for count in counts]
            random.shuffle(plan)
            for target, count in plan:
                target.go_on()
                sample = one(target, tools, connections=count, seconds=seconds)
                samples.setdefault((target.name, count), []).append(sample)
                if target in proxies:
                    target.stop()
    finally:
        for target in proxies:
            target.go_on()
    return samples


def table(samples: Samples) -> str:
    columns = (
        ("req/s", 10),
        ("p50 ms", 9),
        ("p99 ms", 9),
        ("CPU µs/call", 13),
        ("MB", 7),
        ("× nginx", 9),
        ("× direct", 9),
    )
    rows = [f"{'':<10}{'conns':>6}" + "".join(f"{title:>{width}}" for title, width in columns)]
    order = ("direct", "nginx", "valetkey", "process")
    for (name, count), found in sorted(samples.items(), key=lambda item: (item[0][1], order.index(item[0][0]))):
        rows.append(
            f"{name:<10}{count:>6}{middle(found, 'rps'):>10,.0f}{middle(found, 'p50') / 1000:>9.2f}"
            f"{middle(found, 'p99') / 1000:>9.2f}{middle(found, 'cpu'):>13.1f}{middle(found, 'memory'):>7.0f}"
            f"{shown(ratio(samples, name, 'nginx', count)):>9}{shown(ratio(samples, name, 'direct', count)):>9}"
        )
    return "\n".join(rows)


def cost_of_split(samples: Samples) -> str:
    """What the vault in a process of its own costs against the one inside, compared within the rounds."""
    parts = []
    for count in sorted({count for _, count in samples}):
        pairs = list(zip(samples["process", count], samples["valetkey", count], strict=True))
        added = median(beside.p50 - inside.p50 for beside, inside in pairs) / 1000
        share = median(beside.rps / inside.rps for beside, inside in pairs)
        parts.append(f"{count} connections: p50 {added:+.2f} ms, {share:.2f} × the throughput")
    return "--vault process against inline: " + "; ".join(parts)


def figures(samples: Samples) -> dict[str, object]:
    """The last line: ratios of Valetkey to the others by connections, and every median."""
    return {
        "ratio_to_nginx": {str(count): ratio(samples, "valetkey", "nginx", count) for count in CONNECTIONS},
        "ratio_to_direct": {str(count): ratio(samples, "valetkey", "direct", count) for count in CONNECTIONS},
        "added_p50_us": {
            str(count): round(
                middle(samples["valetkey", count], "p50") - middle(samples["direct", count], "p50"), 1
            )
            for count in CONNECTIONS
        },
        **{
            name: {
                str(count): {field.name: round(middle(samples[name, count], field.name), 1) for field in fields(Sample)}
                for count in CONNECTIONS
            }
            for name in dict.fromkeys(name for name, _ in samples)
        },
    }  # fmt: skip


def middle(found: Sequence[Sample], what: str) -> float:
    return float(median(getattr(sample, what) for sample in found))


def ratio(samples: Samples, name: str, other: str, count: int) -> float | None:
    """Requests per second of one to those of another; None when the other was not there."""
    if (other, count) not in samples:
        return None
    pairs = zip(samples[name, count], samples[other, count], strict=True)
    return round(median(mine.rps / theirs.rps for mine, theirs in pairs), 3)


def shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
