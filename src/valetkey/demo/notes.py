"""Marginalia's notebooks and the four tools over them: three that read, one that deletes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

READ, WRITE = "notes:read", "notes:write"
SCOPES = {READ: "Read your notes", WRITE: "Change and delete your notes"}


@dataclass(frozen=True, slots=True)
class Note:
    id: str
    title: str
    text: str


NOTEBOOKS: Mapping[str, tuple[Note, ...]] = {
    "ada": (
        Note("n1", "Bernoulli numbers", "The engine can compute them without having been worked out by head first."),
        Note("n2", "Letter to Babbage", "Ask whether the cards may be reused for the second cycle."),
        Note("n3", "Shopping", "Ink, two quires of paper, candles."),
    ),
    "grace": (
        Note("n1", "Moth", "First actual case of bug being found. Taped into the log book."),
        Note("n2", "Nanoseconds", "Cut more wire: 11.8 inches each, for the lecture."),
    ),
}


class ToolFailed(Exception):
    """The tool ran and could not do what was asked; the sentence is for the assistant."""


class Notes:
    """All notebooks, one per person, in memory."""

    def __init__(self) -> None:
        self._notebooks = {person: {note.id: note for note in notes} for person, notes in NOTEBOOKS.items()}

    def list_notes(self, person: str, _arguments: Json) -> Json:
        notes = [{"id": note.id, "title": note.title} for note in self._of(person).values()]
        return _result("\n".join(f"{note['id']}  {note['title']}" for note in notes), {"notes": notes})

    def read_note(self, person: str, arguments: Json) -> Json:
        note = self._find(person, arguments)
        return _result(f"# {note.title}\n\n{note.text}")

    def search_notes(self, person: str, arguments: Json) -> Json:
        words = str(arguments.get("query", "")).lower().split()
        found = [n for n in self._of(person).values() if all(word in f"{n.title} {n.text}".lower() for word in words)]
        return _result("\n".join(f"{note.id}  {note.title}" for note in found) or "Nothing found.")

    def delete_note(self, person: str, arguments: Json) -> Json:
        note = self._find(person, arguments)
        del self._of(person)[note.id]
        return _result(f"Deleted: {note.title}")

    def _of(self, person: str) -> dict[str, Note]:
        return self._notebooks.setdefault(person, {})

    def _find(self, person: str, arguments: Json) -> Note:
        wanted = str(arguments.get("id", ""))
        if note := self._of(person).get(wanted):
            return note
        raise ToolFailed(f"There is no note {wanted[:20]!r}.")


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: how it is described to clients, the scope it needs, and what runs."""

    description: Json
    scope: str
    run: Callable[[Notes, str, Json], Json]

    @property
    def name(self) -> str:
        return str(self.description["name"])


def _result(text: str, structured: Json | None = None) -> Json:
    result: Json = {"content": [{"type": "text", "text": text}], "isError": False}
    return result if structured is None else {**result, "structuredContent": structured}


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_TEXT = {"type": "string"}
_READS = {"readOnlyHint": True, "openWorldHint": False}
_LISTED = _object(notes={"type": "array", "items": _object(id=_TEXT, title=_TEXT)})

TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            {
                "name": "list_notes",
                "title": "List notes",
                "description": "Lists the titles and ids of all notes in the notebook.",
                "inputSchema": _object(),
                "outputSchema": _LISTED,
                "annotations": _READS,
            },
            READ,
            Notes.list_notes,
        ),
        Tool(
            {
                "name": "read_note",
                "title": "Read a note",
                "description": "Returns the text of one note.",
                "inputSchema": _object(id={"type": "string", "description": "The note's id, as in list_notes"}),
                "annotations": _READS,
            },
            READ,
            Notes.read_note,
        ),
        Tool(
            {
                "name": "search_notes",
                "title": "Search notes",
                "description": "Lists the notes in which all given words occur.",
                "inputSchema": _object(query={"type": "string", "description": "Words, separated by spaces"}),
                "annotations": _READS,
            },
            READ,
            Notes.search_notes,
        ),
        Tool(
            {
                "name": "delete_note",
                "title": "Delete a note",
                "description": "Deletes one note for good.",
                "inputSchema": _object(id={"type": "string", "description": "The note's id, as in list_notes"}),
                "annotations": {"readOnlyHint": False, "destructiveHint": True, "openWorldHint": False},
            },
            WRITE,
            Notes.delete_note,
        ),
    )
}
