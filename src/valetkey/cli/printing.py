"""What commands print: tables and facts for people, JSON for programs. Pretty on a terminal, plain in a pipe."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from valetkey.kernel.errors import printable

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: object) -> None:
    # On a terminal everything beyond ASCII is escaped: names from outside may hold what moves the cursor or turns text.
    print(json.dumps(value, indent=2, ensure_ascii=sys.stdout.isatty()))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str) -> None:
    """`columns` is key → title. Prints `empty` when there are no rows."""
    if not rows:
        print(empty)
        return
    cells = [[_word(row.get(key)) for key in columns] for row in rows]
    titles = list(columns.values())
    if sys.stdout.isatty():
        _print_rich(titles, cells)
        return
    widths = [max(len(line[place]) for line in (titles, *cells)) for place in range(len(titles))]
    for line in ([title.upper() for title in titles], *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_facts(facts: Mapping[str, Any]) -> None:
    """One fact to a line."""
    width = max(map(len, facts)) + 1
    for name, value in facts.items():
        print(f"{name + ':':<{width}} {_word(value)}".rstrip())


def tell_of_more(found: Mapping[str, Any]) -> None:
    """After a page of a list that goes on."""
    if found["next"]:
        note(f"There is more: --cursor {found['next']}")


def note(text: str) -> None:
    """Something for the person at the keyboard that is not the command's result."""
    print(text, file=sys.stderr)


def _print_rich(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title)
    for line in cells:
        table.add_row(*map(Text, line))  # as text: what looks like markup in a name stays what it is
    Console().print(table)


def _word(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(_word, value)) or "–"
    text = printable(value, limit=2000)
    return f"{text[:10]} {text[11:19]}Z" if _INSTANT.fullmatch(text) else text
