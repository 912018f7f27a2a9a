"""`valetkey connector schema`: what an entry of the directory may say, for editors and for checking one elsewhere."""

from __future__ import annotations

import click

from valetkey.cli.printing import print_json


@click.command("schema")
@click.option("--json", "as_json", is_flag=True, help="As it is printed anyway.")
def print_schema(as_json: bool) -> None:
    """Print the JSON schema of a listing's file; it needs no hub."""
    from valetkey.directory.entry_schema import entry_schema

    print_json(entry_schema())
