"""What each step of a submission asks (DIR-04, DIR-05): its fields as a form shows them, what was typed as changes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from valetkey.directory.listings import CATEGORIES, VERTICALS
from valetkey.kernel.errors import BadInput
from valetkey.submissions.fields import LIMITS
from valetkey.submissions.model import Changes, Fields
from valetkey.web.form import Form

_LONG: Final = 40_000
"""Of a field of several lines as it is typed; what each line may hold is for the room to say."""
_OPTIONS: Final = (("", "Not said"), ("yes", "Yes"), ("no", "No"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One field. `name` is its place in the submission; `lines` are entries, `pairs` are `tool.parameter: why`."""

    name: str
    label: str
    kind: Literal["line", "address", "text", "lines", "pairs", "choice", "several"] = "line"
    hint: str = ""
    needed: bool = True
    options: Sequence[tuple[str, str]] = ()

    @property
    def limit(self) -> int:
        """Characters that it may have; 0 where that is not said here."""
        return LIMITS.get(self.name, 500 if self.kind == "line" else 0)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form of one step."""

    name: str
    lead: str
    inputs: tuple[Input, ...]


_NAMED: Final = tuple((one, one.capitalize()) for one in CATEGORIES)

SHEETS: Final[Mapping[str, Sheet]] = {
    sheet.name.replace(" ", "-"): sheet
    for sheet in (
        Sheet("connection", "Where it is. Once it is listed, its host stays what it was.", (
            Input(name="url", label="MCP endpoint", kind="address", hint="https, without keys or tokens in it."),
            Input(name="hosts", label="Hosts of others that it uses", kind="lines", needed=False,
                  hint="One a line. Any that the review sees and that is not named is asked about."),
        )),
        Sheet("listing", "What people read before they connect.", (
            Input(name="name", label="Name"),
            Input(name="about", label="In one line"),
            Input(name="description", label="Description", kind="text"),
            Input(name="categories", label="Categories", kind="several", hint="One to five.", options=_NAMED),
            Input(name="vertical", label="Where mistakes are costly", kind="choice",
                  hint="Its tools are then never allowed once and for all. A reviewer can set it, too.",
                  options=(("", "In none of these"), *((one, one.capitalize()) for one in VERTICALS))),
            Input(name="docs", label="Documentation", kind="address"),
            Input(name="terms", label="Terms", kind="address", needed=False),
            Input(name="links", label="Where its tools may send people", kind="lines", needed=False,
                  hint="One a line: https://pay.example.com, or a scheme of your own programs, com.example.notes:"),
            Input(name="revocation", label="Page where people end a connection", kind="address", needed=False),
        )),
        Sheet("use cases", "What people can ask of it. The review tries what it can.", (
            Input(name="example_prompts", label="Example prompts", kind="lines", hint="One a line, three or more."),
            Input(name="justified", label="Why parameters are needed", kind="pairs", needed=False,
                  hint="One a line, as in “send_note.recipient_birthday: the card is for that day”."),
        )),
        Sheet("company", "Who answers for it.", (
            Input(name="publisher", label="Publisher"),
            Input(name="support", label="Support", kind="address", hint="A page, or mailto: and an address."),
            Input(name="security_contact", label="Security contact", kind="address",
                  hint="Where a vulnerability is reported: a page, or mailto: and an address."),
        )),
        Sheet("authentication", "How people sign in, and how a reviewer does.", (
            Input(name="auth.kind", label="People sign in with", kind="choice", options=(
                ("oauth", "OAuth, at the service"), ("header", "A key in a header"), ("none", "Nothing: it is open"))),
            Input(name="auth.headers", label="Header names", kind="lines", needed=False, hint="One a line, for a key."),
            Input(name="auth.scope", label="Scope", needed=False, hint="Only if it needs others than it advertises."),
            Input(name="test_instructions", label="For the reviewer", kind="text",
                  hint="What the test account holds, and what to try. No password belongs here."),
        )),
        Sheet("data handling", "What becomes of people's data. They read this before they connect.", (
            Input(name="privacy_policy", label="Privacy policy", kind="address"),
            Input(name="data.api", label="Whose API does it use?", kind="choice", options=(
                ("not known", "Not said"), ("own", "Our own"), ("proxied", "Others', through us"),
                ("third party", "Others'"))),
            Input(name="data.collected", label="What is collected"),
            Input(name="data.purpose", label="What for"),
            Input(name="data.recipients", label="Who gets it"),
            Input(name="data.retention", label="How long it is kept"),
            Input(name="data.regions", label="Where it is kept"),
            Input(name="data.contact", label="Whom to ask"),
            Input(name="data.health_data", label="Does it take health data?", kind="choice", options=_OPTIONS),
            Input(name="data.ads", label="Is any of it used for ads?", kind="choice", options=_OPTIONS),
        )),
    )
}  # fmt: skip


_LABELS: Final = {one.name: one.label for sheet in SHEETS.values() for one in sheet.inputs} | {"icon": "Icon"}
_EMPTY: Final = re.compile(r"(\w+) is not said")


def still(missing: Sequence[str]) -> str:
    """What is still to be done, as a sentence that calls fields what the forms call them."""
    named = [_LABELS.get(found[1], found[1]) for one in missing if (found := _EMPTY.fullmatch(one))]
    others = [one for one in missing if not _EMPTY.fullmatch(one)]
    text = "; ".join([*([f"not filled in: {', '.join(named)}"] if named else []), *others])
    return f"{text[:1].upper()}{text[1:]}."


def values_of(fields: Fields, sheet: Sheet) -> dict[str, Any]:
    """What the form holds when nothing was typed yet."""
    said = msgspec.to_builtins(fields)
    return {one.name: _typed(one, _at(said, one.name)) for one in sheet.inputs}


def read(form: Form, sheet: Sheet) -> dict[str, Any]:
    """What was typed, as it was typed."""
    found: dict[str, Any] = {}
    for one in sheet.inputs:
        if one.kind == "several":
            found[one.name] = [value[:40] for value in form.many(one.name)[:40]]
        else:
            found[one.name] = form.one(one.name, limit=_LONG)
    return found


def changes_of(fields: Fields, sheet: Sheet, values: Mapping[str, Any]) -> Changes:
    """The same as the room takes it. Raises `BadInput` that names the field."""
    said = msgspec.to_builtins(fields)
    changes: dict[str, Any] = {}
    for one in sheet.inputs:
        value = _meant(one, values[one.name])
        outer, _, inner = one.name.partition(".")
        if inner:
            changes[outer] = {**changes.get(outer, said[outer]), inner: value}
        else:
            changes[outer] = value
    return changes


def _at(said: Mapping[str, Any], name: str) -> Any:
    outer, _, inner = name.partition(".")
    return said[outer][inner] if inner else said[outer]


def _typed(one: Input, value: Any) -> Any:
    if one.kind == "several":
        return list(value)
    if one.kind == "lines":
        return "\n".join(value)
    if one.kind == "pairs":
        return "\n".join(f"{name}: {why}" for name, why in value.items())
    return "" if value == "not known" and one.options is _OPTIONS else value


def _meant(one: Input, value: Any) -> Any:
    if one.kind == "lines":
        return [line.strip() for line in value.splitlines() if line.strip()]
    if one.kind == "pairs":
        return dict(_pair(one, line) for line in value.splitlines() if line.strip())
    return value or "not known" if one.options is _OPTIONS else value


def _pair(one: Input, line: str) -> tuple[str, str]:
    name, colon, why = line.partition(":")
    if not colon or not name.strip() or not why.strip():
        raise BadInput("Write each line as “tool.parameter: why”.", field=one.name)
    return name.strip(), why.strip()
