"""Names and hosts that could be taken for another's: compared by what a reader sees, not by what the bytes are (S-05).

A skeleton is what is left of a text when letters that look alike are one letter, and what cannot be seen is gone. Two
texts with one skeleton read the same at a glance. It only ever warns: no text is refused, and none is believed.
"""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

import idna

from valetkey.directory.listings import Listing, Listings
from valetkey.directory.model import Connector, ReviewState

# Letters of other alphabets, and other letters of ours, by the Latin one they are read as. Small letters only.
_ALIKE = {
    "a": "аɑαａ",
    "b": "вЬьʙ",
    "c": "сϲᴄ",
    "d": "ԁɗ",
    "e": "еёєҽ℮",
    "g": "ɡցԍ",
    "h": "һհ",
    "i": "іїι1lɩӏ|!ǀı",
    "j": "јϳ",
    "k": "кκ",
    "m": "мⅿ",
    "n": "пո",
    "o": "оοσօ0",
    "p": "рρ",
    "q": "ԛզ",
    "r": "гᴦ",
    "s": "ѕ5$",
    "t": "тτ",
    "u": "υսц",
    "v": "νѵ",
    "w": "ԝω",
    "x": "хχ",
    "y": "уүγ",
}
_READ_AS = str.maketrans({other: one for one, others in _ALIKE.items() for other in others})
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_SHORTEST = 4
"""Names shorter than this are told apart by too little to be compared with one letter changed."""


def skeleton(text: str) -> str:
    """What a reader sees of a text: without case, accents, spaces, invisible characters, look-alike letters one."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_READ_AS)
    letters = "".join(char for char in plain if char.isalnum())
    for pair, one in _PAIRS:
        letters = letters.replace(pair, one)
    return letters


def resembling(connector: Connector, listings: Listings) -> tuple[str, ...]:
    """Warnings for a custom connector that could be taken for a listing, by its name or its host; empty for others."""
    if connector.review_state is not ReviewState.CUSTOM or connector.is_local:
        return ()
    found = []
    for listing in listings:
        if listing.host == _host(connector.url):
            continue  # it goes to the same host: then it is what it seems to be
        if _reads_like(connector.name, listing):
            found.append(
                f"Its name reads like {listing.name} in the directory, which is at {listing.host}. This one is not."
            )
        elif _is_near(_host(connector.url), listing):
            found.append(f"Its host reads like {listing.host} of {listing.name} in the directory, and is another one.")
    return tuple(found[:3])


def _reads_like(name: str, listing: Listing) -> bool:
    """Whether a name is, or contains as a word, the name or the publisher of a listing."""
    given = skeleton(name)
    words = {skeleton(word) for word in name.split()} | {given}
    return any(
        wanted and (wanted == given or wanted in words or _one_apart(wanted, given))
        for wanted in (skeleton(listing.name), skeleton(listing.publisher))
    )


def _is_near(host: str, listing: Listing) -> bool:
    """Whether a host has the owner's name of a listing's in it, under another owner's domain, or nearly."""
    readable = _readable(host)
    owner = _owner(listing.host)
    if _owner(host) == owner:
        return False
    wanted = skeleton(owner.partition(".")[0])
    parts = {skeleton(part) for label in readable.split(".") for part in (label, *label.split("-"))}
    return len(wanted) >= _SHORTEST and (wanted in parts or any(_one_apart(wanted, part) for part in parts))


def _one_apart(one: str, other: str) -> bool:
    """Whether one letter put in, left out or changed, or two exchanged, makes one the other."""
    if min(len(one), len(other)) < _SHORTEST + 1 or abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )
    rest, others = one[start:], other[start:]
    return (
        rest[1:] == others[1:] or rest[1:] == others or rest == others[1:]
        or (rest[:2] == others[1::-1] and rest[2:] == others[2:])
    )  # fmt: skip


def _owner(host: str) -> str:
    """The last two labels: near enough to whose domain it is for a warning, and used for nothing else."""
    return ".".join(host.split(".")[-2:])


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _readable(host: str) -> str:
    """The host in the letters that its punycode stands for."""
    try:
        return str(idna.decode(host))
    except (idna.IDNAError, UnicodeError):
        return host
