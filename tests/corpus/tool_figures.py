"""How the classifier does on the corpus of tools: recall, over-asking, and what was taken for what.

    python -m tests.corpus.tool_figures        prints the figures, and writes them to `tools/figures.txt`

*Recall* of H and V is the share of tools labelled so that count at least as what they are: a V taken for H is a miss.
*Behind a passkey* is the share of them that count as H or V, whichever: none of these runs without one.
*Asked for too much* are tools that count as more than they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.corpus.tool_definitions import FOLDER, Labelled, Part, labelled
from valetkey.directory.model import Tool
from valetkey.policy.classes.classify import classify
from valetkey.policy.classes.surroundings import Surroundings, surroundings
from valetkey.policy.tool_class import RANK, Classified

FILE = FOLDER / "figures.txt"
CLASSES = "RWMHV"
PARTS: Final[dict[Part, str]] = {
    "chosen by": "Servers whose definitions the words were chosen by",
    "looked at since": "Held out once each, and looked at since: no figure of strangers any more",
    "held out": "Strangers: labelled before the classifier saw them, and nothing was mended by them",
}


def class_of(tool: Labelled, annotations: dict[str, bool] | None = None) -> Classified:
    """What the classifier says of the tool on a connector that nobody checked, with no hints unless some are given."""
    return unhinted(tool) if not annotations else found(tool.tool(annotations), tool.server)


@cache
def unhinted(tool: Labelled) -> Classified:
    """The same without a hint, found once."""
    return found(plain(tool), tool.server)


@cache
def plain(tool: Labelled) -> Tool:
    """The tool without a hint."""
    return tool.tool({})


def found(tool: Tool, server: str) -> Classified:
    return classify(
        tool, verified=False, reviewed=None, organization=None, raised_by_taint=False, around=around(server)
    )  # fmt: skip


@cache
def of_servers() -> dict[str, list[Labelled]]:
    """The tools of each server."""
    sorted_out: dict[str, list[Labelled]] = {}
    for tool in labelled():
        sorted_out.setdefault(tool.server, []).append(tool)
    return sorted_out


@cache
def around(server: str) -> Surroundings:
    """What the server is about, by its name and the tools of it that are in the corpus."""
    tools = [plain(one) for one in of_servers()[server]]
    return surroundings(listed_as="", names=[server], tools=tools)


STRANGERS: Final = (
    # What was measured on servers that nobody had looked at, once each, before what was missed was mended: servers,
    # tools, those of H and V, their recall, and the share of them behind a passkey.
    (13, 310, 94, 0.9681, 0.9787, "whole definitions"),
    (10, 364, 94, 0.9681, 1.0000, "names and sentences; arguments of some"),
    (8, 383, 104, 0.9423, 0.9615, "names and sentences; arguments of some"),
    (5, 307, 185, 0.9027, 0.9027, "three quarters of them names and arguments alone"),
    (11, 296, 76, 0.8947, 0.9079, "names and sentences; arguments of few; judged by their surroundings too"),
    (11, 248, 98, 0.9796, 0.9796, "names and sentences; arguments of few"),
    (12, 389, 169, 0.9822, 0.9941, "whole definitions"),
    (29, 474, 254, 0.9882, 0.9882, "whole definitions"),
    (22, 384, 179, 0.9385, 0.9441, "whole definitions"),
    (24, 406, 186, 0.9839, 0.9946, "whole definitions"),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """How many tools of each class were taken for which: (label, found) to their number."""

    taken: Counter[tuple[str, str]]

    @classmethod
    def of(cls, tools: Iterable[Labelled]) -> Figures:
        return cls(Counter((tool.label.value, class_of(tool).counts_as.value) for tool in tools))

    def labelled(self, classes: str) -> int:
        return sum(number for (label, _), number in self.taken.items() if label in classes)

    def recall(self, classes: str = "HV") -> float:
        """The share of those labelled with one of `classes` that count at least as that."""
        kept = sum(
            number for (label, found), number in self.taken.items() if label in classes and RANK[found] >= RANK[label]
        )
        return kept / self.labelled(classes)

    def of_one(self, label: str) -> str:
        """The recall of one class, to print."""
        return f"{self.recall(label):.4f}" if self.labelled(label) else "none there"

    def behind_passkey(self) -> float:
        """The share of those labelled H or V that are not called without a passkey."""
        kept = sum(number for (label, found), number in self.taken.items() if label in "HV" and found in "HV")
        return kept / self.labelled("HV")

    def precision(self) -> float:
        """The share of those counted as H or V that are labelled so."""
        found = {pair: number for pair, number in self.taken.items() if pair[1] in "HV"}
        return sum(number for (label, _), number in found.items() if label in "HV") / sum(found.values())

    def grave(self) -> float:
        """The share of all tools that count as H or V: a classifier that calls everything so misses nothing."""
        return sum(number for (_, found), number in self.taken.items() if found in "HV") / sum(self.taken.values())

    def over(self, label: str) -> float:
        """The share of the tools labelled so that count as more."""
        more = sum(number for (was, found), number in self.taken.items() if was == label and RANK[found] > RANK[label])
        return more / self.labelled(label)

    def __str__(self) -> str:
        rows = ["      " + "".join(f"{found:>6}" for found in CLASSES) + "   asked for too much"]
        rows += [
            f"{label:>6}"
            + "".join(f"{self.taken[label, found]:>6}" for found in CLASSES)
            + (f"{self.over(label):>12.1%}" if label != "V" else "")
            for label in CLASSES
        ]
        rows += [
            f"recall: H and V {self.recall():.4f} of {self.labelled('HV')}, H {self.of_one('H')}, V {self.of_one('V')}",
            f"behind a passkey: {self.behind_passkey():.4f} of H and V",
            f"precision of H and V: {self.precision():.2f}; of all tools, {self.grave():.2f} count as H or V",
        ]
        return "\n".join(rows)


@cache
def figures(part: Part) -> Figures:
    """Those of one part of the corpus."""
    return Figures.of(tool for tool in labelled() if tool.part == part)


def report() -> str:
    """The figures of each part, and what was measured on strangers, as the file has them."""
    before = "\n".join(
        f"{servers:>3} servers, {tools} tools ({what}): of {of} H and V recall {recall:.4f}, behind passkey {kept:.4f}"
        for servers, tools, of, recall, kept, what in STRANGERS
    )
    return f"Measured while nobody had looked at them, in this order:\n{before}\n\n" + "\n".join(
        f"{title} ({_servers(part)} servers, {figures(part).labelled(CLASSES)} tools).\n"
        f"Rows: as labelled. Columns: as counted.\n\n{figures(part)}\n"
        for part, title in PARTS.items()
    )


def _servers(part: Part) -> int:
    return len({tool.server for tool in labelled() if tool.part == part})


if __name__ == "__main__":
    FILE.write_text(report())
    print(report())
