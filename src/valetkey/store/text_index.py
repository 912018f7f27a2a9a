"""A small full-text index in memory, ranked by BM25 (SQLite FTS5): derived, and safe to lose."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Final

_WORD: Final = re.compile(r"\w+")
_MOST_WORDS: Final = 24
_LONGEST_WORD: Final = 40
_SHORTEST_BEGINNING: Final = 3
"""Characters from which on a word also finds what begins with it."""


class TextIndex:
    """Documents of the same few fields, found by the words in them; `weights` says what a hit in each field is worth.

    Words are compared by their stem (English) and without accents. Nothing of a query is SQL or query syntax.
    """

    def __init__(self, documents: Sequence[Sequence[str]], *, weights: Sequence[float]) -> None:
        self._weights = ", ".join(str(float(weight)) for weight in weights)
        fields = [f"f{number}" for number in range(len(weights))]
        self._database = sqlite3.connect(":memory:", check_same_thread=False)  # built in a thread, asked by its owner
        # Contentless: only the index is kept, for the documents are elsewhere.
        self._database.execute(
            f"create virtual table t using fts5({', '.join(fields)}, content='', tokenize='porter unicode61')"
        )
        self._database.executemany(
            f"insert into t(rowid, {', '.join(fields)}) values (?{', ?' * len(fields)})",  # noqa: S608 – all of it is ours
            ((number, *texts) for number, texts in enumerate(documents)),
        )

    def search(self, query: str) -> list[int]:
        """The numbers of the documents that hold a word of `query`, best first; equal ones in their order."""
        words = dict.fromkeys(word[:_LONGEST_WORD] for word in _WORD.findall(query.lower())[:_MOST_WORDS])
        if not words:
            return []
        wanted = " OR ".join(f'"{word}"{"*" if len(word) >= _SHORTEST_BEGINNING else ""}' for word in words)
        rows = self._database.execute(
            f"select rowid from t where t match ? order by bm25(t, {self._weights}), rowid",  # noqa: S608 – numbers
            (wanted,),
        )
        return [number for (number,) in rows]
