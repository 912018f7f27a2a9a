"""The reference of all commands, made from their own help: `python -m tests.cli.reference` writes docs/cli.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from valetkey.cli.main import valetkey

PAGE = Path(__file__).resolve().parents[2] / "docs/cli.md"

_HEAD = """\
# Commands

Made from `valetkey … --help` by `python -m tests.cli.reference`; a test holds it to the commands.

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 refuses to start (configuration or keys). Errors are one sentence and a
hint on standard error. On the hub's host, commands speak to it over `<data>/control.sock` as *operator*: people, keys,
trail and metadata only. With `VALETKEY_TOKEN` they speak for the token's person; with `--url` to a hub elsewhere.
"""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its full name."""
    yield from _below("valetkey", valetkey)


def _below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for inner in command.list_commands(context):
        found = command.get_command(context, inner)
        assert found is not None
        yield from _below(f"{name} {inner}", found)


def help_of(name: str, command: click.Command) -> str:
    # As when it is called below `valetkey`, whose names for help it takes over and then keeps.
    names = valetkey.context_settings["help_option_names"]
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100, help_option_names=names)
    return command.get_help(context)


def page() -> str:
    parts = [_HEAD]
    parts += [f"## {name}\n\n```\n{help_of(name, command)}\n```\n" for name, command in commands()]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
