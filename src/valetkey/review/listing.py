"""Stage 0: reading what a publisher says about a connector, from a TOML or JSON file.

The fields are those of the directory's entries, and those that a submission adds (DIR-05, DIR-06). A field that is not
known is refused rather than passed over: what is misspelled would seem to be missing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from valetkey.directory.custom import read_name
from valetkey.kernel.errors import BadInput, printable
from valetkey.review.model import Listing
from valetkey.review.texts import word_set

MAX_BYTES: Final = 64 * 1024
_TEXTS: Final = {
    "url": 2048, "publisher": 100, "one_liner": 200, "about": 2000, "privacy_policy": 2048, "docs": 2048,
    "support": 2048, "proof": 200,
}  # fmt: skip
_LISTS: Final = {"categories": 5, "verticals": 8, "regions": 250, "example_prompts": 20, "hosts": 50, "screenshots": 5}
_LONGEST_ITEM: Final = 500
# What entries of the directory have besides, and no rule asks about.
_OTHERS: Final = word_set("slug url_pattern terms revocation auth data tools review source icon contact publisher_url")


def read_listing(text: bytes, *, is_json: bool) -> Listing:
    """The listing in a file. Raises `BadInput` naming the field."""
    if len(text) > MAX_BYTES:
        raise BadInput(f"The listing is larger than {MAX_BYTES} bytes.", field="listing")
    try:
        found = json.loads(text) if is_json else tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"The listing is not {'JSON' if is_json else 'TOML'}: {printable(error)}", field="listing"
        ) from error
    if not isinstance(found, dict):
        raise BadInput("The listing is not an object.", field="listing")
    known = {*_TEXTS, *_LISTS, *_OTHERS, "name", "vertical", "justified", "wants_verified"}
    if unknown := sorted(found.keys() - known):
        raise BadInput(
            f"The listing has a field that is not known: {printable(unknown[0], limit=60)}.",
            field="listing",
            hint=f"Known are {', '.join(sorted(known))}.",
        )
    texts = {name: _text(found, name, limit) for name, limit in _TEXTS.items()}
    lists = {name: _list(found, name, most) for name, most in _LISTS.items()}
    vertical = (_text(found, "vertical", 40),) if found.get("vertical") else ()
    return Listing(
        name=read_name(found.get("name", ""), field="name"),
        url=texts["url"],
        publisher=texts["publisher"],
        one_liner=texts["one_liner"],
        about=texts["about"],
        privacy_policy=texts["privacy_policy"],
        docs=texts["docs"],
        support=texts["support"],
        proof=texts["proof"],
        categories=lists["categories"],
        verticals=(*lists["verticals"], *vertical),
        regions=lists["regions"],
        example_prompts=lists["example_prompts"],
        hosts=lists["hosts"],
        screenshots=lists["screenshots"],
        justified=_justified(found.get("justified", {})),
        wants_verified=found.get("wants_verified") is True,
    )


def _text(found: Mapping[str, Any], name: str, limit: int) -> str:
    value = found.get(name, "")
    if not isinstance(value, str) or len(value) > limit:
        raise BadInput(f"{name} is not a text of at most {limit} characters.", field=name)
    return value


def _list(found: Mapping[str, Any], name: str, most: int) -> tuple[str, ...]:
    value = found.get(name, [])
    if not isinstance(value, list) or len(value) > most:
        raise BadInput(f"{name} is not a list of at most {most} texts.", field=name)
    if not all(isinstance(item, str) and len(item) <= _LONGEST_ITEM for item in value):
        raise BadInput(f"{name} holds something that is no text of at most {_LONGEST_ITEM} characters.", field=name)
    return tuple(value)


def _justified(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or len(value) > 100 or not all(isinstance(why, str) for why in value.values()):
        raise BadInput("justified is not a table of “tool.parameter” and why.", field="justified")
    return {str(where): str(why)[:_LONGEST_ITEM] for where, why in value.items()}
