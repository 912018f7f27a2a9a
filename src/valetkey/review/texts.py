"""Every string that a crawl saw, with where it stands, and the ways in which a reader may understand it.

Orders to a model are hidden by look-alike letters, invisible characters, spacing or coding (security.md U01, T40). So a
phrase is looked for not in the string but in each of its `readings`.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from valetkey.kernel.errors import printable

if TYPE_CHECKING:
    from valetkey.review.model import Listing, Lists, Trials

MAX_READ: Final = 32_768
"""Characters of one string that are read; what is longer is held by L-502, so nothing hides behind the end."""
MAX_TEXTS: Final = 20_000
"""Strings of definitions that are read; that there are more is held by L-502."""
MAX_RESULTS: Final = 2_000_000
"""Characters of all results together that are read; that there are more is held by L-503."""
_OVERLAP: Final = 500
"""Characters that two pieces of a result share, so that no sentence is cut in two."""
_MAX_DEPTH: Final = 64

_LOOKALIKES: Final = str.maketrans(
    "аеорсухіјѕԁһոԛԝѵɡıƖІоαεικνορτυχωϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕКМНОРСТУХЅЈ",
    "aeopcyxijsdhnqwvgilioaeikvoptuxwcjABEZHIKMNOPTYXABEKMHOPCTYXSJ",
)
_SPACED_OUT: Final = re.compile(r"\b(?:[a-z] ){4,}[a-z]\b")
_SPACES: Final = re.compile(r"\s+")
_BLOB: Final = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX: Final = re.compile(r"\b(?:[0-9a-fA-F]{2}){12,}\b")
_WORD: Final = re.compile(r"[a-z]{2,}")


@dataclass(frozen=True)
class Text:
    """One string. `where` says where it stands, in words fit to be shown; `tool` is whose it is, if a tool's."""

    where: str
    raw: str
    tool: str = ""

    @cached_property
    def plain(self) -> str:
        """As a reader sees it: composed, lower case, without what is invisible, look-alikes as what they look like."""
        return folded(self.raw[:MAX_READ])

    @cached_property
    def coded(self) -> tuple[str, ...]:
        """Texts that stand in it in base64 or hex."""
        return tuple(_decoded(self.raw[:MAX_READ]))

    @cached_property
    def readings(self) -> tuple[str, ...]:
        """All texts that a phrase may stand in: as seen, and unescaped. Coded text is not let in at all (L-209)."""
        raw = self.raw[:MAX_READ]
        if "&" in raw or "%" in raw:
            return tuple(dict.fromkeys((self.plain, folded(unquote(html.unescape(raw))))))
        return (self.plain,)


def folded(text: str) -> str:
    """`text` as the eye takes it. Tag characters (U+E0020 …), which only models read, become what they spell."""
    seen = "".join(
        chr(ord(char) - 0xE0000) if "\U000e0020" <= char <= "\U000e007e" else char
        for char in text
        if not is_invisible(char) or "\U000e0020" <= char <= "\U000e007e"
    )
    composed = unicodedata.normalize("NFKC", seen).translate(_LOOKALIKES).casefold().replace("’", "'")
    spaced = _SPACES.sub(" ", composed).strip()
    return _SPACED_OUT.sub(lambda match: match[0].replace(" ", ""), spaced)


def is_invisible(char: str) -> bool:
    """Whether a character is drawn as nothing, or moves others: format characters, fillers, variation selectors."""
    return (
        (unicodedata.category(char) in ("Cf", "Co", "Cn") or char in "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
        or (unicodedata.category(char) == "Cc" and char not in "\n\r\t")
    )


def may_join(before: str) -> bool:
    """After a picture the joiner and the variation selector are part of it; after a letter of Indic or Arabic, too."""
    return unicodedata.category(before) in ("So", "Sk", "Lo", "Mn", "Mc") or before in "\ufe0f#*0123456789©®™↔"


def word_set(words: str) -> frozenset[str]:
    """The words in a line of them."""
    return frozenset(words.split())


def reads_like_text(text: str) -> bool:
    """Whether decoded bytes are words rather than chance."""
    words = _WORD.findall(text.casefold())
    return len(words) >= 3 and sum(map(len, words)) + text.count(" ") >= 0.75 * len(text)


def _decoded(raw: str) -> Iterator[str]:
    for match in _HEX.finditer(raw):
        yield from _read(bytes.fromhex(match[0]))
    for match in _BLOB.finditer(raw):
        blob = match[0].rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield from _read(base64.b64decode(blob + "=" * (-len(blob) % 4)))
        except binascii.Error:
            continue


def _read(data: bytes) -> Iterator[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    if reads_like_text(text):
        yield text


# --- where strings stand ------------------------------------------------------------------------------------------


def named(name: str) -> str:
    """A name from outside within a sentence of ours."""
    return f"“{printable(name, limit=64)}”"


def definition_texts(listing: Listing | None, lists: Lists | None) -> tuple[Text, ...]:
    """Every string of a listing and of what a server says of itself, its tools, prompts and resources."""
    found: list[Text] = []
    if listing is not None:
        found += [Text("listing: name", listing.name), Text("listing: one-liner", listing.one_liner)]
        found += [Text("listing: about", listing.about)]
    if lists is not None:
        found += walk("server", lists.server, "")
        for tool in lists.tools:
            found += walk(f"tool {named(tool.name)}", tool.definition, tool.name)
        for kind, things in (("prompt", lists.prompts), ("resource", lists.resources)):
            for thing in things:
                found += walk(f"{kind} {named(str(thing.get('name', '')))}", thing, "")
    return tuple(found[:MAX_TEXTS])


def result_texts(trials: Trials | None) -> tuple[Text, ...]:
    """What tools answered, in pieces that are read whole: what stands behind much else is read by a model, too."""
    found: list[Text] = []
    left = MAX_RESULTS
    for trial in trials.calls if trials is not None else ():
        for said in (trial.text, trial.beside):
            for start in range(0, min(len(said), left), MAX_READ - _OVERLAP):
                found.append(Text(f"result of tool {named(trial.tool)}", said[start : start + MAX_READ], trial.tool))
            left = max(0, left - len(said))
    return tuple(found)


def strings_in(value: Any) -> Iterator[str]:
    """Every string below `value`."""
    return (text for _, text in _strings(value, "", 0))


def walk(whose: str, thing: Mapping[str, Any], tool: str) -> Iterator[Text]:
    """Every string of one thing; `whose` it is stands before where."""
    for path, text in _strings(thing, "", 0):
        yield Text(f"{whose}: {printable(path, limit=120)}", text, tool)


def _strings(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every string below `value`, the names of members among them: a model reads those too."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        yield path, _icon(value) if value.startswith("data:") else value
    elif isinstance(value, dict):
        for name, inner in value.items():
            inside = f"{path}.{name}" if path else name
            if not name.isascii() or len(name) > 40 or " " in name:
                yield f"{path or 'member'}: the name of a member", name
            yield from _strings(inner, inside, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _strings(inner, f"{path}[{index}]", depth + 1)


def _icon(url: str) -> str:
    """The text of a picture in a `data:` URL: drawings (SVG) can carry sentences, photographs cannot."""
    head, _, data = url[: 4 * MAX_READ].partition(",")
    if "svg" not in head:
        return ""
    if ";base64" not in head:
        return unquote(data)
    try:
        return base64.b64decode(data + "=" * (-len(data) % 4)).decode(errors="replace")
    except binascii.Error:
        return ""
