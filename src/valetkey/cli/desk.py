"""`valetkey desk`: submissions that wait for a reviewer, and what is decided on them."""

from __future__ import annotations

import time

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table
from valetkey.cli.submission import LISTED, show

_WAITING = {"place": "place", "id": "id", "slug": "slug", "name": "name", "waits_days": "days", "is_late": "late"}
_id = click.argument("submission", metavar="ID")


@click.group()
def desk() -> None:
    """The review desk: list, show, review, decide; who reviews."""


@desk.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what is not waiting.")
@as_json
@hub_options
def list_waiting(hub: Hub, everything: bool, as_json: bool) -> None:
    """List who waits, the longest first; what waits more than seven days is late."""
    found = hub.all("/desk/all" if everything else "/desk")
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], LISTED if everything else _WAITING, empty="Nobody waits.")


@desk.command("show")
@_id
@as_json
@hub_options
def show_waiting(hub: Hub, submission: str, as_json: bool) -> None:
    """Show a submission as the desk sees it: the linter's verdict, and the class of each tool."""
    found = hub.get(f"/desk/{part(submission)}")
    show(found, as_json)
    seen = ((found["review"] or {}).get("report") or {}).get("classes", {})
    for tool, is_a in () if as_json else seen.items():
        print(f"seen ({is_a}): {tool}")


@desk.command("review")
@_id
@as_json
@hub_options
def review_waiting(hub: Hub, submission: str, as_json: bool) -> None:
    """Run the review with the submission's test account, which nobody is shown."""
    run = hub.post(f"/desk/{part(submission)}/review", {})
    if as_json:
        print_json(run)
    else:
        note(f"under way; see valetkey desk show {submission}")


@desk.command("decide")
@_id
@click.argument("act", type=click.Choice(["approve", "request-changes", "reject", "delist", "relist"]))
@click.option("--reason", required=True, help="The publisher reads it.")
@click.option("--seen", required=True, metavar="VERSION", help="The version that `show` printed.")
@click.option("--verified", is_flag=True, help="To approve: its label says Verified.")
@click.option("--vertical", default="", help="To approve: where mistakes are costly, if its publisher said none.")
@click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="TOOL=CLASS[: WHY]",
    help="To approve: a tool in another class; with why, if it is less than can be seen of it.",
)
@as_json
@hub_options
def decide(
    hub: Hub,
    submission: str,
    act: str,
    reason: str,
    seen: str,
    verified: bool,
    vertical: str,
    classes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Decide on a submission as it was seen, never on one's own."""
    body = {
        "act": act.replace("-", " "),
        "reason": reason,
        "seen": seen,
        "verified": verified,
        "vertical": vertical,
        "classes": dict(_grade(text) for text in classes),
    }
    decided = hub.post(f"/desk/{part(submission)}/decision", body)
    if as_json:
        print_json(decided)
    else:
        print(f"{decided['slug']}: {decided['state']}")


def _grade(text: str) -> tuple[str, dict[str, str]]:
    tool, is_given, rest = text.partition("=")
    is_a, _, why = rest.partition(":")
    if not is_given or not tool or not is_a.strip():
        raise click.UsageError("Write each class as TOOL=CLASS, or TOOL=CLASS: WHY.")
    return tool.strip(), {"is_a": is_a.strip(), "why": why.strip()}


@desk.command("ask")
@_id
@click.argument("words")
@hub_options
def ask(hub: Hub, submission: str, words: str) -> None:
    """Ask its publisher something; it stays in the queue, and `show` has the answer."""
    hub.post(f"/desk/{part(submission)}/question", {"words": words})
    print("asked")


@desk.command("takedown")
@_id
@click.option("--reason", required=True, help="Everybody who is connected reads it.")
@hub_options
def take_down(hub: Hub, submission: str, reason: str) -> None:
    """Take it out of the directory and freeze it for everybody, at once. `decide ID relist` puts it back."""
    hub.post(f"/desk/{part(submission)}/takedown", {"reason": reason})
    print("taken down")


@desk.command("rescan")
@click.argument("listing", required=False, default="")
@click.option("--everything", is_flag=True, help="Also what comes with the hub.")
@click.option("--status", "only_status", is_flag=True, help="Say how far it is, or what came of it; look at nothing.")
@as_json
@hub_options
def rescan(hub: Hub, listing: str, everything: bool, only_status: bool, as_json: bool) -> None:
    """Look anew at listings, as somebody unknown, and wait until that is done. What is found to block is held."""
    asked = {"listing": listing, "everything": everything}
    run = hub.get("/desk/rescan") if only_status else hub.post("/desk/rescan", asked)
    while not only_status and run["finished_at"] is None:
        note(f"{run['done']} of {run['total']} {run['now']}".strip())
        time.sleep(1.0)
        run = hub.get("/desk/rescan")
    if as_json:
        print_json(run)
    elif run is None:
        print("Nothing was looked at yet.")
    else:
        print_facts(
            {name: run[name] for name in ("done", "total", "held", "unreached", "now", "error") if run[name] != ""}
        )
    if run and run["error"]:
        raise SystemExit(1)


@desk.command("looks")
@as_json
@hub_options
def list_looks(hub: Hub, as_json: bool) -> None:
    """List what the hub's own looks at its listings found, and what is held, on the hub's host."""
    found = hub.all("/desk/looks")
    if as_json:
        print_json(found)
    else:
        columns = {"slug": "slug", "looked_at": "looked at", "tools": "tools", "held": "held", "says": "says"}
        print_table(found["items"], columns, empty="Nothing was looked at yet.")


@desk.command("reviewers")
@as_json
@hub_options
def list_reviewers(hub: Hub, as_json: bool) -> None:
    """List who reviews besides the operator, on the hub's host."""
    found = hub.all("/desk/reviewers")
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], {"login": "login", "id": "id"}, empty="Nobody but the operator.")


@desk.command("name")
@click.argument("person", metavar="LOGIN")
@hub_options
def name_reviewer(hub: Hub, person: str) -> None:
    """Let a person review what other organizations submit, on the hub's host."""
    print(f"reviews: {hub.post('/desk/reviewers', {'person': person})['login']}")


@desk.command("dismiss")
@click.argument("person", metavar="LOGIN")
@hub_options
def dismiss_reviewer(hub: Hub, person: str) -> None:
    """They review no longer."""
    hub.delete(f"/desk/reviewers/{part(person)}")
    print(f"reviews no longer: {person}")
