"""Text from outside, made safe to look at: escaped, bounded, and with every invisible character shown.

A right-to-left override can make `gpj.exe` read as `exe.jpg`; a zero-width space can hide a word. People decide by
what they see here, so nothing may be in the text that they cannot see (security.md 6.5).
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata

from markupsafe import Markup, escape

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
# Letters and marks that draw nothing: combining grapheme joiner, Hangul fillers, Khmer inherent vowels, Braille blank.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_LINE = frozenset("\n\t")


def is_hidden(char: str) -> bool:
    """Whether a reader would not see this character, or would see others moved by it."""
    return (
        char in _BLANK
        or unicodedata.category(char) in _HIDDEN_CATEGORIES
        or "\U000e0100" <= char <= "\U000e01ef"  # variation selectors supplement: can carry hidden data
    )


def _shown(char: str) -> Markup:
    return Markup('<span class="revealed">⟦U+{:04X}⟧</span>').format(ord(char))


def reveal(text: object, *, limit: int = 2000, lines: bool = False) -> Markup:
    """`text` escaped, at most `limit` characters, hidden characters as ⟦U+202E⟧; newlines are kept if `lines`."""
    whole = str(text)
    kept = _LINE if lines else frozenset()
    parts = [_shown(char) if is_hidden(char) and char not in kept else escape(char) for char in whole[:limit]]
    if len(whole) > limit:
        parts.append(Markup('<span class="revealed">… {} more characters</span>').format(len(whole) - limit))
    return Markup("").join(parts)


def plain(text: object, limit: int = 100) -> str:
    """As `reveal`, where no markup can stand: a page's title, an option, a button. Still to be escaped."""
    whole = str(text)
    shown = "".join(f"⟦U+{ord(char):04X}⟧" if is_hidden(char) else char for char in whole[:limit])
    return shown if len(whole) <= limit else f"{shown}…"


def untrusted(text: object, limit: int = 300) -> Markup:
    """`reveal`ed text in its own direction-isolated box: it can neither style, link nor reorder what is around it."""
    return Markup('<bdi class="outside">{}</bdi>').format(reveal(text, limit=limit))


def measured(text: str) -> str:
    """A long value in a line: how long it is, and its hash; what it decodes to, if it looks like a file."""
    said = f"{len(text):,} characters"
    body = text.partition(";base64,")[2] if text.startswith("data:") else text
    if len(body) % 4 == 0 and _BASE64.fullmatch(body):
        raw = base64.b64decode(body)
        kind = plain(text[5:].partition(";")[0], 60) if text.startswith("data:") else "base64"
        return f"{said} · {kind}, {len(raw):,} bytes, SHA-256 {hashlib.sha256(raw).hexdigest()}"
    return f"{said}, SHA-256 {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def initial(name: str) -> str:
    """The first character of a name that can be seen, for a picture to tell it by."""
    return next((char for char in name if not is_hidden(char) and not char.isspace()), "?")


def _scripts(text: str) -> set[str]:
    """The alphabets of the letters in `text`, by the first word of each letter's Unicode name."""
    return {unicodedata.name(char, "UNKNOWN").split(" ")[0] for char in text if char.isalpha()}


_CLAIMS = ("verified", "official", "trusted", "secure", "approved", "✓", "✔", "☑", "✅", "🔒")


def oddities(name: str) -> tuple[str, ...]:
    """What is odd about a name that somebody chose, in sentences; empty for an ordinary one (S-05)."""
    claims = any(claim in name.lower() for claim in _CLAIMS)
    return (*odd_letters(name), *(["The name makes a claim that Valetkey has not checked."] if claims else []))


def odd_letters(name: str) -> tuple[str, ...]:
    """What is odd about how a name is written: one that reads as another is (PERM-05)."""
    found = []
    if any(is_hidden(char) for char in name):
        found.append("The name holds invisible characters.")
    scripts = _scripts(name)
    if len(scripts) > 1 and "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "FULLWIDTH"}:
        found.append("The name mixes alphabets, so it may imitate another name.")
    elif scripts and scripts <= {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"} and _reads_as_latin(name):
        found.append("The name looks Latin but is written in another alphabet.")
    if name != " ".join(name.split()):
        found.append("The name has unusual spaces.")
    return tuple(found)


_TWINS = frozenset("аесорхуіјѕһԁԛԝАВЕКМНОРСТХЅІЈαινορυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")


def _reads_as_latin(name: str) -> bool:
    return all(char in _TWINS for char in name if char.isalpha())
