"""What differs between the tools that a person accepted and those a service lists now (CUS-11, security.md 6.7). Pure.

A changed or new tool is *held*: neither listed nor called until somebody looked at it. What differs in white space,
punctuation or a slip of the pen is no new tool; then the accepted text goes on being the one that is shown.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from valetkey.directory.fingerprint import read_definition, written
from valetkey.directory.model import Difference, Drift, DriftKind, Pin, Snapshot, Tool

_TEXTS: Final = frozenset({"description", "title"})
_NOT_SEEN: Final = frozenset({"icons"})
_WORD: Final = re.compile(r"\w+")
_CAREFUL: Final = frozenset({"not", "never", "always", "only", "must", "cannot", "without"})
_MOST_SLIPS: Final = 2
_ALIKE: Final = 0.85
_LONGEST: Final = 4000
_MOST_COMPARED: Final = 30


def judged(seen: Snapshot, pin: Pin | None) -> Snapshot:
    """`seen` as it may be used: with the accepted tools alone, as they were accepted, and what is held beside them."""
    if pin is None:
        return seen
    usable: list[Tool] = []
    held: list[Drift] = []
    there = {tool.name for tool in seen.tools}
    gone = [tool for name, tool in pin.tools.items() if name not in there]
    for tool in seen.tools:
        accepted = pin.tools.get(tool.name)
        if accepted is None:
            held.append(_new(tool, gone))
        elif accepted.fingerprint == tool.fingerprint:
            usable.append(tool)
        elif is_cosmetic(found := differences(accepted.raw, tool.raw)):
            usable.append(accepted)  # its fingerprint stands, and so does what was said about it
        else:
            held.append(Drift("changed", tool.name, accepted, tool, found))
    server, of_server = _server(seen.server, pin.server)
    told = _told(seen.server, pin.server)
    return Snapshot(
        seen.connection_id, tuple(usable), server, seen.fetched_at, seen.fresh_until, (*of_server, *told, *held)
    )  # fmt: skip


def _new(tool: Tool, gone: Sequence[Tool]) -> Drift:
    """A tool that was not there. One that resembles a vanished one is that under another name, and inherits nothing."""
    for before in gone[:_MOST_COMPARED]:
        if _resembles(before, tool):
            return Drift("renamed", tool.name, before, tool, differences(before.raw, tool.raw))
    return Drift("new", tool.name, None, tool, differences(b"{}", tool.raw))


def _resembles(one: Tool, other: Tool) -> bool:
    before, after = (tool.raw.decode(errors="replace").replace(tool.name, "")[:_LONGEST] for tool in (one, other))
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return bool(matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE)


# --- what the server says of itself -----------------------------------------------------------------------------------


def _server(now: bytes, accepted: bytes) -> tuple[bytes, tuple[Drift, ...]]:
    """What is told of the server, with the instructions that were accepted, and how it differs from that."""
    said, before = _object(now), _object(accepted)
    found = tuple(
        Difference((where,), str(old or ""), str(new or ""))
        for where, old, new in (
            ("instructions", before.get("instructions"), said.get("instructions")),
            ("name", _object_in(before, "serverInfo").get("name"), _object_in(said, "serverInfo").get("name")),
        )
        if (old or "") != (new or "")
    )
    if not found:
        return now, ()
    kept = {**said, "instructions": before.get("instructions")}
    if kept["instructions"] is None:
        del kept["instructions"]
    return json.dumps(kept).encode(), () if is_cosmetic(found) else (Drift("server", "", None, None, found),)


_TOLD: Final[tuple[tuple[DriftKind, str, str], ...]] = (
    ("protocol", "revision of MCP", "protocolVersion"),
    ("certificate", "issuer of the certificate", "certificateIssuer"),
)
"""What is information about a server: the kind of drift, what it is named by, and the member that differs."""


def _told(now: bytes, accepted: bytes) -> Iterator[Drift]:
    """What is otherwise than when it was accepted, where both are known (security.md 6.7): told, not held."""
    saying, accepting = _object(now), _object(accepted)
    for kind, name, member in _TOLD:
        said, before = (str(of.get(member) or "") for of in (saying, accepting))
        if said and before and said != before:
            yield Drift(kind, name, None, None, (Difference((member,), before, said),))


def accepted_server(now: bytes, pinned: bytes, looked_at: Collection[str]) -> bytes:
    """What is pinned of a server when what these name was accepted: all that it says of itself (no name), and each of
    what is only told. What was never known before is from then on.
    """
    named = {name for _, name, _ in _TOLD}
    if not named.union({""}).intersection(looked_at):
        return pinned
    said, before = _object(now), _object(pinned)
    kept = {**(said if "" in looked_at else before)}
    for _, name, member in _TOLD:
        kept[member] = (said if name in looked_at or member not in before else before).get(member)
    return json.dumps({key: value for key, value in kept.items() if value is not None}).encode()


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _object_in(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


# --- differences ------------------------------------------------------------------------------------------------------


def differences(old: bytes, new: bytes) -> tuple[Difference, ...]:
    """Where two definitions differ. The order of keys, and white space between them, are no difference."""
    try:
        before, after = dict(_flat(_read(old), ())), dict(_flat(_read(new), ()))
    except RecursionError:
        return (Difference(("definition",), old.decode(errors="replace"), new.decode(errors="replace")),)
    return tuple(
        Difference(path, before.get(path, ""), after.get(path, ""))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    )


def _read(raw: bytes) -> Any:
    return {key: value for key, value in read_definition(raw).items() if key not in _NOT_SEEN} if raw != b"{}" else {}


def _flat(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, (*path, key))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value, 1):
            yield from _flat(inner, (*path, f"#{number}"))
    elif path:
        yield path, value if isinstance(value, str) and path[-1] in _TEXTS else written(value)


def is_cosmetic(found: Sequence[Difference]) -> bool:
    """Whether texts for people are all that differs, and by no more than a slip of the pen."""
    return all(_is_slip(one) for one in found)


def _is_slip(one: Difference) -> bool:
    where = one.path
    if where[-1] not in {*_TEXTS, "instructions"} or (
        len(where) > 1 and where[-2] in ("properties", "enum", "default")
    ):
        return False
    if not one.old or not one.new or _hidden(one.old) != _hidden(one.new):
        return False
    if any(mark in text for text in (one.old, one.new) for mark in ("://", "@")):
        return False  # an address is not proofread
    before, after = (_WORD.findall(unicodedata.normalize("NFC", text).casefold()) for text in (one.old, one.new))
    if len(before) != len(after):
        return "".join(before) == "".join(after)  # a space too many
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    return len(changed) <= _MOST_SLIPS and all(_mistyped(old, new) for old, new in changed)


def _mistyped(old: str, new: str) -> bool:
    if not (old.isascii() and new.isascii() and old.isalpha() and new.isalpha()) or {old, new} & _CAREFUL:
        return False
    return min(len(old), len(new)) >= 4 and _distance(old, new) <= 2


def _distance(old: str, new: str) -> int:
    row = list(range(len(new) + 1))
    for i, one in enumerate(old[:40], 1):
        above, row[0] = row[:], i
        for j, other in enumerate(new[:40], 1):
            row[j] = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (one != other))
    return row[-1] if len(new) <= 40 else len(new)


def _hidden(text: str) -> str:
    """The characters of `text` that draw nothing by themselves."""
    kinds = ("Cf", "Co", "Cn", "Cs", "Cc", "Mn")
    return "".join(char for char in text if unicodedata.category(char) in kinds and char not in "\n\r\t")


KINDS: Final[Mapping[DriftKind, str]] = {
    "new": "New: nobody has looked at it yet.",
    "changed": "The service changed it since it was accepted.",
    "renamed": "It looks like a tool that had another name before.",
    "server": "The service says something else about itself.",
    "protocol": "It speaks another revision of MCP than when it was accepted. Nothing is held back by that.",
    "certificate": "Somebody else issued its certificate than when it was accepted. Nothing is held back by that.",
}
"""What each kind of drift is, in a sentence."""
