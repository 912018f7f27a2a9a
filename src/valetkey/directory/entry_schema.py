"""The JSON schema of an entry of the directory, for editors and for whoever writes one (JSON Schema 2020-12).

It is made from the type that entries are read into, so that it never says less or more; what the strict reader asks
besides (that a URL is one which may be visited, that a host is public) no schema can say.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from valetkey.directory.custom import HEADER_LIMIT
from valetkey.directory.listings import CATEGORIES, VERTICALS, Listing

ID: Final = "urn:valetkey:listing-entry:1"
_NOT_WRITTEN: Final = frozenset({"slug", "icon", "screenshots"})
"""The file's name is the slug; pictures come through the desk."""
_HTTPS: Final = "^https://[a-z0-9.-]+(:[0-9]{1,5})?(/[^ #@]*)?$"
_LINK: Final = "^https://"
_MAIL_OR_LINK: Final = "^(https://|mailto:)"
_TEXTS: Final = {"name": 100, "publisher": 100, "about": 200, "description": 2000}


def entry_schema() -> dict[str, Any]:
    """The schema."""
    made = msgspec.json.schema(Listing)
    defined: dict[str, Any] = made["$defs"]
    entry: dict[str, Any] = defined.pop("Listing")
    fields: dict[str, Any] = {name: one for name, one in entry["properties"].items() if name not in _NOT_WRITTEN}
    for name, most in _TEXTS.items():
        if name in fields:
            fields[name] |= {"maxLength": most} | ({"minLength": 1} if name in entry["required"] else {})
    fields["url"] |= {"pattern": _HTTPS, "description": "The MCP endpoint."}
    fields["url_pattern"] |= {
        "pattern": r"^https://([a-z0-9-]+\.)*\*(\.[a-z0-9-]+)+(/[^ #@*]*)?$",
        "description": "An endpoint of which each customer has one: * stands for one label of the host.",
    }
    for name in ("docs", "privacy_policy", "terms", "revocation"):
        fields[name] |= {"pattern": _LINK}
    fields["support"] |= {"pattern": _MAIL_OR_LINK}
    fields["categories"] |= {"items": {"enum": list(CATEGORIES)}, "minItems": 1, "maxItems": 5, "uniqueItems": True}
    fields["vertical"] |= {"enum": ["", *VERTICALS]}
    del defined["Source"]["properties"]["proved"]
    defined["Source"]["properties"]["url"] |= {"pattern": _LINK}
    for name in ("headers", "optional_headers"):
        defined["SignIn"]["properties"][name] |= {"maxItems": HEADER_LIMIT}
    for one in (entry, *defined.values()):
        _described(one)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        **entry,
        "title": "An entry of the directory",
        "properties": fields,
        "required": [name for name in entry["required"] if name not in _NOT_WRITTEN],
        "oneOf": [{"required": ["url"]}, {"required": ["url_pattern"]}],
        "$defs": defined,
    }
    as_read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))  # a tuple is a list there
    return as_read


def _described(one: dict[str, Any]) -> None:
    """A docstring of ours is one sentence on several lines; a schema has it on one."""
    if "description" in one:
        one["description"] = " ".join(one["description"].split())
