"""`valetkey key recovery-kit` and `recover`: the way back when the root key is lost."""

from __future__ import annotations

import asyncio
import sys

import click

from valetkey.cli.hub_client import Hub, hub_options
from valetkey.cli.passphrase import ask_for_passphrase
from valetkey.cli.printing import as_json, note, print_facts, print_json
from valetkey.kernel.errors import BadInput


@click.command("recovery-kit")
@hub_options
def show_kit(hub: Hub) -> None:
    """Make a recovery kit: three sheets, of which any two open everything.

    Shown once, on this terminal only, and kept nowhere. Give the sheets to three people. The kit before opens nothing
    any more once this one is adopted.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput("A recovery kit is shown on a terminal only, so that it is in no file, pipe or log.")
    from valetkey.vault.recovery_kit import make_kit

    kit = make_kit()
    for number, sheet in enumerate(kit.sheets, start=1):
        click.clear()
        click.echo(f"Valetkey recovery kit, sheet {number} of 3. Any two of the three open everything.\n")
        words = sheet.split()
        for first in range(0, len(words), 3):
            click.echo("".join(f"{first + at + 1:>4} {word:<14}" for at, word in enumerate(words[first : first + 3])))
        click.prompt("\nWrite it down; it is not shown again. Then press Enter", default="", show_default=False)
    click.clear()
    if not click.confirm("Are all three written down, and to be kept by three people?"):
        raise BadInput("Nothing was changed: these sheets open nothing.")
    adopted = hub.post("/keys/recovery-kit", {"public_key": kit.public_key.hex()})
    note(f"Kit {adopted['number']} is good from now on. Try it once: docs/vault.md has the drill.")


@click.command("recover")
@click.option("--data", metavar="DIR", help="The hub's data directory.  [default: ~/.local/share/valetkey]")
@click.option("--keyring-database", metavar="URL", help="The keyring, if it is not in --data.")
@click.option("--database", metavar="URL", help="The main database, if it is not in --data.")
@click.option("--root-key", metavar="KEY", help="The new root key, in the words of `valetkey serve`; a file is made.")
@as_json
def recover_keys(as_json: bool, **flags: str | None) -> None:
    """Put everything under a new root key with two sheets of the recovery kit.

    For when the root key is lost; the hub must be stopped. Asks for the sheets, or reads them from the standard input,
    one to a line. Nothing is changed unless both stores and sheets fit.
    """
    from valetkey.app import recover_hub
    from valetkey.cli.start_checks import holding_data_directory
    from valetkey.settings import load_settings

    settings = load_settings(flags)
    if not settings.data.is_dir():
        raise BadInput(f"There is no data directory {settings.data}.", field="data")
    with holding_data_directory(settings.data):
        sheets = [_sheet(1), _sheet(2)]
        done, place = asyncio.run(recover_hub(settings, sheets, ask=ask_for_passphrase))
    if as_json:
        print_json({"organization_keys": done.tenant_keys, "root_key": place, "version": done.root_version})
        return
    print_facts({"organizations' keys recovered": done.tenant_keys, "root key": place, "version": done.root_version})
    note("Back up the new root key now, and make a new recovery kit: two sheets of this one were used.")


def _sheet(number: int) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"Sheet, {number} of 2", hide_input=True))
    return sys.stdin.readline()
