"""`valetkey alert`: what services do that they did not do before."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, print_facts, print_json, print_table

_SHOWN = {"last_at": "last", "connector": "connector", "label": "what", "times": "times", "words": "more", "id": "id"}
_SUMMED = {"last_at": "last", "connector": "connector", "label": "what", "people": "people", "times": "times"}
_WHOLE = (
    "id", "label", "connector", "connection_id", "words", "times", "first_at", "last_at", "dismissed_at", "call_id",
    "page",
)  # fmt: skip


@click.group()
def alert() -> None:
    """Alerts: list, show, dismiss."""


@alert.command("list")
@click.option("--connection", default="", metavar="ID", help="Only those of this connection.")
@click.option("--dismissed", is_flag=True, help="Those that were dismissed, too.")
@click.option("--organization", is_flag=True, help="The organization's, summed and without content; for who owns it.")
@as_json
@hub_options
def list_alerts(hub: Hub, connection: str, dismissed: bool, organization: bool, as_json: bool) -> None:
    """List what was noticed at your connections, the newest first."""
    if organization:
        found, shown = hub.all("/alerts/organization"), _SUMMED
    else:
        found, shown = hub.all("/alerts", connection=connection, dismissed="true" if dismissed else ""), _SHOWN
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], shown, empty="Nothing unusual was noticed.")


@alert.command("show")
@click.argument("alert_id", metavar="ALERT")
@as_json
@hub_options
def show_alert(hub: Hub, alert_id: str, as_json: bool) -> None:
    """Show one alert."""
    found = hub.get(f"/alerts/{part(alert_id)}")
    if as_json:
        print_json(found)
    else:
        print_facts({name.replace("_", " "): found[name] for name in _WHOLE if found[name] not in ("", None)})


@alert.command("dismiss")
@click.argument("alert_id", metavar="ALERT")
@as_json
@hub_options
def dismiss_alert(hub: Hub, alert_id: str, as_json: bool) -> None:
    """Put an alert away. The same cause is told again when it was quiet for a day."""
    done = hub.post(f"/alerts/{part(alert_id)}/dismiss", {})
    if as_json:
        print_json(done)
    else:
        print(f"dismissed: {alert_id}")
