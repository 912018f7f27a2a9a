"""What a publisher agrees to before a submission, each text by itself (DIR-07), in the version in force (S-29).

There is no way to agree to other words: what is sent is the hash of the text as it was shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from valetkey.review.clauses import IN_FORCE_FROM, VERSION
from valetkey.submissions.model import Agreed

RE_ACCEPT_WITHIN: Final = timedelta(days=30)

TEXTS: Final[Mapping[str, str]] = {
    "guidelines": (
        "I have read the directory policy in this version. The connector keeps to it, and will while it is listed."
    ),
    "first-party API": (
        "The connector uses our own API, or one whose owner permits this use, and says which hosts of others it uses."
    ),
    "financial transactions": (
        "The connector moves no money, securities or crypto assets for people, and executes no financial transactions."
    ),
    "AI media": "The connector generates no images, video or audio with AI, but for aids to design.",
    "prompt injection": (
        "Descriptions and results hold no instructions to a model, hidden or open, that a person did not ask for."
    ),
    "conversation data": (
        "The connector takes only the data that a tool needs, and collects no conversations, memory or files."
    ),
    "public documentation": (
        "Documentation, privacy policy and a support contact are public, and are kept up to date."
    ),
}


@dataclass(frozen=True, slots=True)
class Terms:
    """A version of the texts, and since when it is in force."""

    version: str
    since: date
    texts: Mapping[str, str] = field(default_factory=lambda: TEXTS)

    def hash_of(self, text: str) -> str:
        """The words of one text in this version, as a hash."""
        return hashlib.sha256(f"{self.version}\0{text}\0{self.texts[text]}".encode()).hexdigest()

    @property
    def agree_by(self) -> date:
        """By when who is listed agrees to this version: after that, they change nothing and are delisted."""
        return self.since + RE_ACCEPT_WITHIN

    def agreed(self, given: Iterable[Agreed]) -> frozenset[str]:
        """Which of the texts were agreed to in these very words."""
        return frozenset(
            one.text for one in given if one.text in self.texts and one.text_hash == self.hash_of(one.text)
        )

    def lacks(self, given: Iterable[Agreed]) -> bool:
        """Whether any text of this version was not agreed to."""
        return self.agreed(given) != self.texts.keys()


IN_FORCE: Final = Terms(VERSION, datetime.strptime(IN_FORCE_FROM, "%d %B %Y").date())  # noqa: DTZ007 – a day, no instant
