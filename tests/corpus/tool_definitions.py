"""Real tool definitions of public MCP servers, each with the class that a person gave it (security.md 6.6, T45).

One file a server in `tools/`: where it was read and at which commit, its license, and of every tool what a classifier
reads: name, title, description (cut after 500 characters, at the end of a sentence), the names of its arguments however
deep, and the actions it lets one choose. A class was decided by reading the definition, before the classifier was run
on it, by these rules:

- R: it reads, computes or shows, a secret or a patient's record to whoever may see it included.
- W: small, one's own or marked, and taken back with a click: labels, reactions, order, own tasks, drafts, subscribing.
- M: it creates or edits what others work with, a link between things removed included; bookkeeping entries, drafts of
  invoices and of contract templates.
- H: it sends or publishes, deletes content, gives or takes access or membership, changes code, machines, databases or
  their settings, or runs what one types.
- V: money moves, is asked for, or counts as paid; orders and positions; a price or plan in force; a contract is made,
  sent, changed or ended, a claim decided, a policy bound; a patient's record is written.

`part` says what a figure of it is worth. The words were *chosen by* the first. The others were *held out* once: other
servers, not other tools of the same ones, read and labelled in a commit of their own before the classifier was run on
them. Most were measured once; then what was missed was *looked at* and mended by what it had in common, so that their
figure is one of strangers no more. What they measured is kept in `tool_figures.STRANGERS`. The last 27 are *held out*
still: no word was chosen by them, and who mends the classifier by what it does there moves them to the others, with
their figure.

Of the later servers all that acts was read from the source, up to some forty tools each; of tools whose names begin
with a word for reading every fourth was taken, since hardly any of these is hard to take back. Their figures of what is
asked for by mistake are of fewer tools that read than a server has.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from valetkey.directory.fingerprint import read_tool
from valetkey.directory.model import Tool
from valetkey.policy.tool_class import ToolClass

FOLDER = Path(__file__).with_name("tools")

Part = Literal["chosen by", "looked at since", "held out"]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One definition and the class a person gave it. Each is itself alone, so that what is found of it can be kept."""

    server: str
    part: Part
    language: str
    label: ToolClass
    definition: dict[str, Any]

    def tool(self, annotations: dict[str, bool] | None = None) -> Tool:
        """The tool, with the hints given instead of its own."""
        said = {key: self.definition[key] for key in ("name", "title", "description") if key in self.definition}
        chosen = self.definition.get("choices", {})
        properties = {field: {"type": "string"} for field in self.definition["fields"]}
        properties |= {field: {"type": "string", "enum": values} for field, values in chosen.items()}
        hints = self.definition.get("annotations", {}) if annotations is None else annotations
        schema = {"type": "object", "properties": properties}
        return read_tool(json.dumps(said | {"inputSchema": schema, "annotations": hints}).encode())


@cache
def labelled() -> tuple[Labelled, ...]:
    """Every definition of the corpus."""
    return tuple(
        Labelled(of["server"], of["part"], of["language"], ToolClass(tool["class"]), tool)
        for of in (json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json")))
        for tool in of["tools"]
    )
