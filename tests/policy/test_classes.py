"""The class of a tool, from what it says and what it takes; the highest wins (security.md 6.6, T45)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valetkey.directory.fingerprint import read_tool
from valetkey.directory.model import Tool
from valetkey.policy.classes.classify import classify
from valetkey.policy.classes.surroundings import ALONE
from valetkey.policy.tool_class import RANK, Classified, ToolClass


def a_tool(
    name: str, description: str = "", fields: str = "", hints: dict[str, Any] | None = None, title: str = ""
) -> Tool:
    schema = {"type": "object", "properties": {field: {"type": "string"} for field in fields.split()}}
    said: dict[str, Any] = {"name": name, "description": description, "inputSchema": schema}
    return read_tool(json.dumps(said | ({"annotations": hints} if hints else {}) | {"title": title}).encode())


def class_of(tool: Tool, *, verified: bool = False, reviewed: ToolClass | None = None) -> Classified:
    return classify(tool, verified=verified, reviewed=reviewed, organization=None, raised_by_taint=False, around=ALONE)


@pytest.mark.parametrize(
    ("name", "description", "fields", "expected"),
    [
        ("list_refunds", "Lists refunds.", "limit", "R"),
        ("searchIssues", "", "query", "R"),
        ("addLabel", "", "label", "M"),  # no hint says that it destroys nothing
        ("updatePage", "Edits a page.", "page text", "M"),
        ("gmail.send", "Sends a message.", "to subject body", "H"),
        ("get_and_delete", "", "id", "H"),
        ("check_in_guest", "Checks a guest in.", "guest", "H"),
        ("top_up_card", "", "card", "V"),
        ("list_checks", "Lists checks.", "", "R"),
        ("stat_create_marker", "Puts it there.", "x y", "H"),
        ("frob_firewall", "Frobs it.", "level", "H"),  # nobody knows what it does, and to what is grave
        ("de\u200blete_note", "", "id", "H"),
        ("ｄｅｌｅｔｅ_note", "", "id", "H"),
        ("tidy", "Löscht alle alten Einträge.", "", "H"),
        ("ranger", "Supprime les fichiers.", "", "H"),
        ("limpiar", "Elimina los archivos.", "", "H"),
        ("arquivos", "Exclui os arquivos antigos.", "", "H"),
        ("pulizia", "Elimina i documenti.", "", "H"),
        ("opruimen", "Verwijdert alle bestanden.", "", "H"),
        ("整理", "删除所有文件", "", "H"),
        ("katazuke", "ファイルを削除します", "", "H"),
        ("zahlung", "Überweist einen Betrag.", "betrag", "V"),
        ("place_order", "Places a stock order.", "symbol qty", "V"),
        ("sign_document", "Signs the document for the user.", "document", "V"),
        ("create_prescription", "", "patient drug", "V"),
        ("submit_claim", "Submits an insurance claim.", "policy", "V"),
        ("run", "Runs a statement.", "sql", "H"),
        ("create_booking", "Books an event for an attendee.", "", "H"),
        ("confirmar_reserva", "", "id", "H"),
        ("tisch_reservieren", "Reserviert einen Tisch.", "personen", "H"),
        ("file_claim", "", "insurance_number", "V"),
        ("file_report", "Files it with the office.", "number", "H"),
        ("resolve_library", "Resolves the name of a library.", "name", "R"),
        ("auto_resolve", "Resolves all escrows that expired.", "", "V"),
        ("generate_api_key", "Generates a key.", "", "H"),
        ("comment_on_post", "Comments on a post.", "text", "H"),
        ("open_garage", "", "number", "H"),
        ("start_campaign", "Starts a campaign.", "campaign_id", "H"),
        ("start_sprint", "Starts a sprint.", "sprint_id", "M"),
        ("add_contact_role", "Adds a role for a contact.", "", "H"),
        ("chat", "List, create, join and leave chats.", "number", "H"),
        ("dialogs", "Everything about them. Actions: get | invite | read", "number", "H"),
        ("perform_step", "Performs a step.", "action", "H"),
        ("raw_request", "Sends nothing by itself.", "method path", "H"),
        ("get_anything", "Gets anything there is.", "method url body", "H"),
        ("stream_query", "Executes a SQL query.", "query", "H"),
        ("stream_query", "Executes a read-only SQL query.", "query", "R"),
        ("query_d1", "", "", "H"),
        ("archive_contact", "Soft-deletes a contact.", "id", "H"),
        ("archive_contact", "Archives it perma\u200bnently.", "id", "H"),
        ("archive_contact", "Archiviert ihn endgültig.", "id", "H"),
        ("archive_contact", "Archives it.", "id", "M"),
        ("delete_promo_code", "Deletes it.", "id", "V"),
        ("get_refund", "Retrieves a refund.", "id", "R"),
        ("get_refund", "Refunds what was paid.", "id", "V"),
        ("get_and_refund", "Retrieves a refund.", "id", "V"),
        ("validate_charge", "Validates a charge by the code that was sent.", "otp", "V"),
        ("get_order", "Gets the order.", "id dry_run", "H"),
        ("add_page", "Adds a page.", "collection data", "H"),
        ("start_thread", "Starts one.", "message", "H"),
        ("start_thread", "Starts one.", "position", "M"),
        ("request_page", "Requests it.", "email", "H"),
        ("update_goal", "Updates a goal.", "daily_budget", "V"),
        ("create_promotion", "Makes one.", "promotion", "V"),
        ("add_document", "Adds it.", "data", "M"),
        ("add_entry", "Adds it.", "data", "H"),  # of a book, of a firewall or of a table
        ("put_page", "Puts a page there. What stood there cannot be undone.", "", "H"),
        ("put_page", "Puts a page. It replaces the entire page.", "", "H"),
        ("get_page", "Gets a page that was permanently removed.", "", "R"),
        ("query_wh", "Queries it.", "query catalog", "H"),
        ("query_graphs", "Query Neo4j by name.", "query", "H"),
        ("query_graphs", "Query Neo4j, read-only.", "query database", "R"),
        ("update_lease", "Updates it.", "lease_data", "V"),
        ("delete_treatment", "Removes it from the plan.", "id", "V"),
        ("create_payslip", "Makes one.", "", "V"),
        ("search_notes", "Searches notes.", "query", "R"),
        ("frobnicate", "Frobnicates.", "widget_id", "H"),  # nobody knows what it does to something that is there
        ("frobnicate", "Фробницирует.", "level", "H"),
    ],
)
def test_a_tool_gives_away_what_it_does(name: str, description: str, fields: str, expected: str) -> None:
    assert class_of(a_tool(name, description, fields)).counts_as == expected


def test_what_is_not_known_counts_as_high_when_anything_can_be_put_into_it_and_as_medium_otherwise() -> None:
    told = class_of(a_tool("frobnicate", "Frobnicates.", "text"))
    mute = class_of(a_tool("frobnicate", "Frobnicates.", "level"))
    silent = class_of(a_tool("frobnicate", "", "level"))

    assert (told.tool_class, told.counts_as) == (ToolClass.UNKNOWN, ToolClass.HIGH)
    assert (mute.tool_class, mute.counts_as) == (ToolClass.UNKNOWN, ToolClass.MEDIUM)
    assert (silent.tool_class, silent.counts_as) == (ToolClass.UNKNOWN, ToolClass.HIGH)


HINT = st.sampled_from([True, False, None])
WORDS = st.sampled_from(["list_files", "frob", "update_page", "delete_all", "pay", "send_mail", "add_label", "getUser"])


@given(name=WORDS, read_only=HINT, destructive=HINT, open_world=HINT, verified=st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_hint_lowers_the_class_of_a_tool_that_nobody_reviewed(
    name: str, read_only: bool | None, destructive: bool | None, open_world: bool | None, *, verified: bool
) -> None:
    """The most harmless hints there are, against these: a lie gains nothing, and a confession counts (D6, S-26)."""
    said = {"readOnlyHint": read_only, "destructiveHint": destructive, "openWorldHint": open_world}
    silent = class_of(a_tool(name, fields="text"))
    hinted = class_of(
        a_tool(name, fields="text", hints={key: value for key, value in said.items() if value is not None}),
        verified=verified,
    )

    floor = RANK[silent.counts_as] - (silent.reasons[0].source == "annotation")  # what only its silence had raised
    assert RANK[hinted.counts_as] >= floor


def test_a_lie_about_reading_does_not_make_a_deleting_tool_read() -> None:
    assert class_of(a_tool("delete_repo", hints={"readOnlyHint": True})).counts_as is ToolClass.HIGH


@given(name=WORDS, reviewed=st.sampled_from([*"RWMHV"]), organization=st.sampled_from([*"RWMHV"]), taint=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_review_an_organization_and_taint_only_raise(
    name: str, reviewed: str, organization: str, *, taint: bool
) -> None:
    tool = a_tool(name)
    alone = classify(tool, verified=True, reviewed=None, organization=None, raised_by_taint=False, around=ALONE)
    found = classify(
        tool,
        verified=True,
        reviewed=ToolClass(reviewed),
        organization=ToolClass(organization),
        raised_by_taint=taint,
        around=ALONE,
    )

    if alone.tool_class is not ToolClass.UNKNOWN:  # a review makes known what was not
        assert RANK[found.counts_as] >= RANK[alone.counts_as]
    assert RANK[found.counts_as] >= max(RANK[reviewed], RANK[organization])


def test_every_reason_is_a_sentence_with_its_source_and_the_first_is_the_one_that_counts() -> None:
    found = class_of(a_tool("send_mail", "Sends mail to recipients.", "recipients body"))

    assert found.because == found.reasons[0].words
    assert {one.source for one in found.reasons} == {"name", "description", "schema field"}
    assert all(one.words.endswith(".") for one in found.reasons)
