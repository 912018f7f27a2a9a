"""What was deleted with the log's knowledge: which missing calls it explains, and how many.

A deletion is itself a record: of what is told of one person (erasure), or of calls begun before an instant
(retention). It says which leaves it erased, so that nobody hides one more behind it. Those of earlier versions left the
leaves' records, and said how many calls they deleted.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from valetkey.audit.leaves import RECORDS, Erasing


@dataclass(slots=True)
class _Deletion:
    seq: int
    person_id: str
    before: int  # microseconds since 1970
    calls: int
    only_payloads: bool
    explained: int = 0
    first: tuple[int, str] = (-1, "")


@dataclass(slots=True)
class _Erasure:
    """A deletion that erased records, and which ones name it: of a person, or of calls before an instant."""

    seq: int
    person_id: str
    before: int
    digest: str
    named: Erasing = field(default_factory=Erasing)
    first: int = -1


class Deletions:
    """Takes the records of the log's deletions, in order; what cannot be read explains nothing."""

    def __init__(self, records: Sequence[bytes]) -> None:
        self._of_person: dict[tuple[str, bool], list[_Deletion]] = defaultdict(list)
        self._before: dict[bool, list[_Deletion]] = {False: [], True: []}
        self._erasures: dict[str, _Erasure] = {}
        self.missing = 0
        self.add(records)

    def add(self, records: Sequence[bytes]) -> None:
        """Those that came later."""
        for written in records:
            try:
                record = json.loads(written)
                if record.get("only") == RECORDS:
                    told = _Erasure(record["seq"], record["person_id"], record["before"], record["digest"])
                    self._erasures[record["id"]] = told
                    continue
                deletion = _Deletion(
                    record["seq"],
                    record["person_id"],
                    record["before"],
                    record["calls"],
                    record.get("only") == "payloads",
                )
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if deletion.person_id:
                self._of_person[deletion.person_id, deletion.only_payloads].append(deletion)
            else:
                self._before[deletion.only_payloads].append(deletion)

    def explain(self, seq: int, reference: str, record: dict[str, str | int]) -> bool:
        """Whether the call at `seq`, which is missing, was deleted by one of them; it is then counted."""
        deletion = self._first(seq, record, only_payloads=False)
        if deletion is None:
            return False
        self.missing += 1
        deletion.explained += 1
        if deletion.first[0] < 0:
            deletion.first = (seq, reference)
        return True

    def explains_payload(self, seq: int, record: dict[str, str | int]) -> bool:
        """Whether the payloads of the call at `seq` were erased by one of them."""
        return self._first(seq, record, only_payloads=True) is not None

    def names(self, deletion: str, seq: int, leaf: bytes) -> bool:
        """Whether a deletion later in the log erased records, and may have erased this one; it is then counted."""
        erasure = self._erasures.get(deletion)
        if erasure is None or erasure.seq <= seq:
            return False
        self.missing += 1
        erasure.named.add(seq, leaf)
        erasure.first = seq if erasure.first < 0 else erasure.first
        return True

    def is_being_erased(self, record: dict[str, str | int], *, since: int) -> bool:
        """Whether this record is erased, by its person's wish or by age, while somebody looks, who began at `since`."""
        return any(
            one.seq >= since
            and (
                one.person_id == record["person_id"] if one.person_id else int(record.get("started_at", 0)) < one.before
            )
            for one in self._erasures.values()
        )

    def wrongly_named(self, *, before: int) -> Iterator[int]:
        """A leaf of each erasure (-1 for none) that not exactly those leaves name which it erased. Those that came
        after `before` are for whoever looks next: some leaves were read before they were erased.
        """
        for one in self._erasures.values():
            if one.seq < before and one.named.hex() != one.digest:
                yield one.first

    def unexplained(self) -> Iterator[tuple[int, str]]:
        """The first call of each deletion that more calls are missing for than it deleted."""
        everything = [*self._before[False], *(one for some in self._of_person.values() for one in some)]
        for deletion in sorted(everything, key=lambda one: one.first):
            if deletion.explained > deletion.calls:
                yield deletion.first

    def _first(self, seq: int, record: dict[str, str | int], *, only_payloads: bool) -> _Deletion | None:
        """The first one later in the log that this call fell under."""
        started_at = int(record["started_at"])
        of_person = self._of_person.get((str(record["person_id"]), only_payloads), ())
        by_age = self._before[only_payloads]
        later = bisect_right(by_age, seq, key=lambda one: one.seq)  # retention runs daily, and calls are many
        found = [
            next((one for one in of_person if one.seq > seq), None),
            next((by_age[at] for at in range(later, len(by_age)) if started_at < by_age[at].before), None),
        ]
        return min((one for one in found if one is not None), key=lambda one: one.seq, default=None)
