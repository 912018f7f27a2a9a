"""One name for one product: what clients call themselves differs by version, spelling and machine (ORG-15)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from typing import Final

from valetkey.kernel.errors import printable

_ASIDE: Final = re.compile(r"\s*[(\[].*$")
_VERSION: Final = re.compile(r"[\s/@_-]+v?\d+(\.\d+)*([-+.][0-9a-z.]+)?$", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"[\s_./-]+")
_UNNAMED: Final = "unnamed"


class Products:
    """Finds the product of a client, and in the end how most of its calls spelled it."""

    def __init__(self) -> None:
        self._spelled: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def key(self, client: str, calls: int) -> str:
        """What all spellings of the product have in common. `calls` counts for this one."""
        spelled = product(client)
        key = _BETWEEN.sub(" ", spelled).casefold().strip() or _UNNAMED
        self._spelled[key][spelled] += calls
        return key

    def names(self) -> dict[str, str]:
        """The spelling of each that most calls had; of several, the first by letters."""
        return {
            key: min(spelled, key=lambda one: (-spelled[one], one)) or "Unnamed"
            for key, spelled in self._spelled.items()
        }


def product(client: str) -> str:
    """A client's name without its version and what stands in brackets behind it."""
    text = " ".join(printable(unicodedata.normalize("NFKC", client), limit=200).split())
    bare = _ASIDE.sub("", text) or text
    return (_VERSION.sub("", bare) or bare)[:60]
