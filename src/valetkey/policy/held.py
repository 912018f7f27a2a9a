"""Why a tool that is not what was accepted cannot be called: the rule for the record, and the sentence for people."""

from __future__ import annotations

from typing import Final

HELD: Final = {"new": "new_tool", "renamed": "new_tool", "changed": "changed_since"}
"""The kind of drift (`directory.drift`), and the rule by which a call is refused."""


def held_words(kind: str, page: str) -> str:
    """What is said to who calls it. `page` is where the person can look at it."""
    if kind == "changed":
        return (
            f"The service has changed this tool since it was accepted. The person can look at the difference on {page}."
        )
    return f"This tool is new, and nobody has accepted it yet. The person can look at it on {page}."
