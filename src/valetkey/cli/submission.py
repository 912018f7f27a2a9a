"""`valetkey submission`: a connector on its way into the directory, for its publisher."""

from __future__ import annotations

import base64
import json
import tomllib
from pathlib import Path
from typing import Any

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table
from valetkey.cli.token import for_user

LISTED = {"id": "id", "slug": "slug", "name": "name", "state": "state", "is_listed": "listed", "state_since": "since"}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MOST = 64 * 1024
_MOST_OF_PICTURE = 700 * 1024
_id = click.argument("submission", metavar="ID")


@click.group()
def submission() -> None:
    """Submissions to the directory: list, show, add, agree, prove, review, submit, …"""


@submission.command("list")
@for_user
@as_json
@hub_options
def list_submissions(hub: Hub, user: str, as_json: bool) -> None:
    """List the organization's submissions."""
    found = hub.all("/submissions", person=user)
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], LISTED, empty="There are none. Begin one: valetkey submission add SLUG FILE")


@submission.command("show")
@_id
@for_user
@as_json
@hub_options
def show_submission(hub: Hub, submission: str, user: str, as_json: bool) -> None:
    """Show one: its state, what each step still needs, and the report's verdict."""
    show(hub.get(f"/submissions/{part(submission)}", person=user), as_json)


@submission.command("add")
@click.argument("slug")
@click.argument("file", type=_FILE)
@for_user
@as_json
@hub_options
def add_submission(hub: Hub, slug: str, file: Path, user: str, as_json: bool) -> None:
    """Begin a submission with the fields in FILE (TOML). SLUG stays for ever: it is part of addresses."""
    show(hub.post("/submissions", {"slug": slug, "fields": _fields(file)}, person=user), as_json)


@submission.command("edit")
@_id
@click.argument("file", type=_FILE)
@for_user
@as_json
@hub_options
def edit_submission(hub: Hub, submission: str, file: Path, user: str, as_json: bool) -> None:
    """Say the fields in FILE (TOML) anew; the others stay. What was approved is a draft again."""
    now = hub.get(f"/submissions/{part(submission)}", person=user)
    body = {"fields": _fields(file), "revision": now["revision"]}
    show(hub.patch(f"/submissions/{part(submission)}", body, person=user), as_json)


@submission.command("agree")
@_id
@click.option("--yes", is_flag=True, help="Agree to every text as it is printed, without being asked for each.")
@for_user
@hub_options
def agree(hub: Hub, submission: str, yes: bool, user: str) -> None:
    """Agree to the terms, each text by itself, in the version in force."""
    agreed = {}
    for one in hub.get("/submissions/terms", person=user)["items"]:
        print(f"{one['text']} (version {one['version']}): {one['words']}")
        if yes or click.confirm("Agree?", err=True):
            agreed[one["text"]] = one["text_hash"]
    if agreed:
        hub.post(f"/submissions/{part(submission)}/agree", {"texts": agreed}, person=user)
    print(f"agreed to: {len(agreed)}")


@submission.command("prove")
@_id
@for_user
@hub_options
def prove(hub: Hub, submission: str, user: str) -> None:
    """Look for the file or TXT record that proves control of the domain; `show` says where and what."""
    hub.post(f"/submissions/{part(submission)}/proof", {}, person=user)
    print("proved")


@submission.command("account")
@_id
@click.option("--token-file", type=_FILE, required=True, help="The test account's token.")
@for_user
@hub_options
def account(hub: Hub, submission: str, token_file: Path, user: str) -> None:
    """Give a test account's token. It is sealed for reviews of this submission; nobody is shown it again."""
    hub.post(f"/submissions/{part(submission)}/account", {"token": _read(token_file).strip()}, person=user)
    print("sealed")


@submission.command("picture")
@_id
@click.argument("kind", type=click.Choice(["icon", "screenshot"]))
@click.argument("file", type=_FILE)
@for_user
@hub_options
def picture(hub: Hub, submission: str, kind: str, file: Path, user: str) -> None:
    """Hand in the icon, or one more screenshot: a PNG, of which the pixels alone are kept."""
    revision = hub.get(f"/submissions/{part(submission)}", person=user)["revision"]
    png = base64.b64encode(_content(file, _MOST_OF_PICTURE)).decode()
    hub.post(f"/submissions/{part(submission)}/pictures/{kind}", {"png": png, "revision": revision}, person=user)
    print("taken in")


@submission.command("contact")
@_id
@click.option("--mail", is_flag=True, help="Send a code to the security contact.")
@click.option("--code", default="", help="The code that the security contact got.")
@for_user
@hub_options
def contact(hub: Hub, submission: str, mail: bool, code: str, user: str) -> None:
    """Confirm the security contact: with the code that --mail sends there, or without one where none can be sent."""
    path = f"/submissions/{part(submission)}/contact"
    if mail:
        hub.post(f"{path}/code", {}, person=user)
        print("sent")
        return
    hub.post(path, {"code": code}, person=user)
    print("confirmed")


@submission.command("review")
@_id
@for_user
@as_json
@hub_options
def review_submission(hub: Hub, submission: str, user: str, as_json: bool) -> None:
    """Begin a review of it as it stands now; `show` says how far it is, and what it came to."""
    run = hub.post(f"/submissions/{part(submission)}/review", {}, person=user)
    if as_json:
        print_json(run)
    else:
        note(f"under way; see valetkey submission show {submission}")


@submission.command("answer")
@_id
@click.argument("words")
@for_user
@hub_options
def answer(hub: Hub, submission: str, words: str, user: str) -> None:
    """Answer a question of the desk; `show` has it."""
    hub.post(f"/submissions/{part(submission)}/answer", {"words": words}, person=user)
    print("answered")


@submission.command("health")
@_id
@for_user
@as_json
@hub_options
def health(hub: Hub, submission: str, user: str, as_json: bool) -> None:
    """Show how what is listed does, by a week of calls: numbers, of nobody in particular."""
    found = hub.get(f"/submissions/{part(submission)}/health", person=user)
    if as_json:
        print_json(found)
        return
    share = found["failures"]
    facts = {
        "condition": found["condition"],
        "failing": f"{share:.1%}" if share is not None else "",
        "calls": found["calls"],
        "half within ms": found["p50"],
        "95 % within ms": found["p95"],
        "99 % within ms": found["p99"],
    }
    print_facts({name: value for name, value in facts.items() if value not in ("", None)})
    if found["tools"]:
        print_table(found["tools"], {"name": "tool", "calls": "calls", "failed": "failed"}, empty="")


def _move(act: str, sentence: str) -> None:
    """A command for one act."""

    @submission.command(act, help=sentence)
    @_id
    @for_user
    @as_json
    @hub_options
    def move(hub: Hub, submission: str, user: str, as_json: bool) -> None:
        seen = hub.get(f"/submissions/{part(submission)}", person=user)["version"] if act == "submit" else ""
        moved = hub.post(f"/submissions/{part(submission)}/move", {"act": act, "seen": seen}, person=user)
        if as_json:
            print_json(moved)
        else:
            print(f"{moved['slug']}: {moved['state']}")


_move("submit", "Hand it to the desk: every step must be done. What its report warns of is seen by this.")
_move("withdraw", "Take it back from the desk.")
_move("publish", "Put what was approved into the directory.")
_move("remove", "Remove it for good, from the directory too.")


def show(found: dict[str, Any], as_json: bool) -> None:
    """A submission for people: what it is, and what is still to be done."""
    if as_json:
        print_json(found)
        return
    review = found["review"] or {}
    report, proof = review.get("report") or {}, found["proof"]
    facts = {
        "id": found["id"],
        "slug": found["slug"],
        "name": found["name"],
        "state": found["state"],
        "since": found["state_since"],
        "listed": found["is_listed"],
        "reason": found["reason"],
        "proof": f"{proof['path']}, or TXT of {proof['record']}.HOST, must say {proof['says']}",
        "proved": proof["proved_at"] or "no",
        "test account": "sealed" if found["has_test_account"] else "none",
        "review": report.get("verdict") or review.get("error") or review.get("progress") or "none",
        "contact": found["contact_at"] and f"confirmed {found['contact_at']}",
        "agree by": found["agree_by"],
        "place": found["place"] or "",
        "last look": found["scan"] or found["scanned_at"],
        "held": found["held"],
        "the desk asks": found["asked"],
        "version": found["version"],
    }
    print_facts({name: value for name, value in facts.items() if value not in ("", None)})
    for tool in found["tools"]:
        print(f"approved ({tool['is_a']}): {tool['name']}")
    for step in found["steps"]:
        for missing in step["missing"]:
            print(f"to do ({step['name']}): {missing}")


def _fields(file: Path) -> dict[str, Any]:
    try:
        text = _read(file)
        found: dict[str, Any] = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{file.name} cannot be read: {error}") from error
    return found


def _read(file: Path) -> str:
    return _content(file, _MOST).decode(errors="replace")


def _content(file: Path, most: int) -> bytes:
    with file.open("rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise click.UsageError(f"{file.name} is larger than {most} bytes.")
    return content
