"""`valetkey token`: personal tokens for assistants without a browser, and for programs."""

from __future__ import annotations

import re

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_json, print_table

_SHOWN = {
    "id": "id",
    "name": "name",
    "resource": "resource",
    "scopes": "scopes",
    "expires_at": "expires",
    "last_used_at": "last used",
}
_UNITS = {"m": 60, "h": 3600, "d": 86400}

for_user = click.option("--user", default="", metavar="LOGIN", help="Whose; the operator must say.")


class Duration(click.ParamType[int]):
    """`90m`, `12h` or `30d`, as seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]{1,5})([mhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is not a duration. Write 90m, 12h or 30d.", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


@click.group()
def token() -> None:
    """API tokens: list, create, revoke."""


@token.command("list")
@for_user
@as_json
@hub_options
def list_tokens(hub: Hub, user: str, as_json: bool) -> None:
    """List a person's tokens, never the tokens themselves."""
    found = hub.all("/tokens", person=user)
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], _SHOWN, empty="There are no tokens.")


@token.command("create")
@for_user
@click.option(
    "--resource",
    default="/mcp",
    show_default=True,
    metavar="PATH",
    help="The one thing it is for: /mcp, /c/<connector>/mcp, /p/<profile>/mcp or /api/v1.",
)
@click.option("--scope", "scopes", multiple=True, help="What it may do on /api/v1; repeat for more.")
@click.option("--ttl", type=Duration(), default="30d", show_default=True, help="How long it lives, at most 90d.")
@click.option("--name", default="command line", show_default=True, help="What it is for, in your words.")
@as_json
@hub_options
def create_token(
    hub: Hub, user: str, resource: str, scopes: tuple[str, ...], ttl: int, name: str, as_json: bool
) -> None:
    """Create a token and print it, this once."""
    body = {"name": name, "resource": resource, "scopes": list(scopes), "ttl_seconds": ttl}
    created = hub.post("/tokens", body, person=user)
    if as_json:
        print_json(created)
        return
    print(created["token"])
    note(f"Shown once. It works at {created['info']['resource']} until {created['info']['expires_at']}.")


@token.command("revoke")
@click.argument("token_id", metavar="ID")
@for_user
@hub_options
def revoke_token(hub: Hub, token_id: str, user: str) -> None:
    """End a token at once, everywhere."""
    hub.delete(f"/tokens/{part(token_id)}", person=user)
    print(f"revoked: {token_id}")
