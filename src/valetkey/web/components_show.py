"""Every component in every state, for whoever builds pages; only when the hub runs in development."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from valetkey.directory.model import ReviewState
from valetkey.web.tree import read_tree
from valetkey.web.visit import Visit

_VALUE = b"""{"query": "invoices \\u202egpj.exe", "limit": 20, "exact": false, "cursor": null, "empty": {},
 "nested": {"list": ["one", "two", {"deep": 1.50}]}, "big": 123456789012345678901234567890,
 "long": "%s", "twice": 1, "twice": 2}""" % (b"Lorem ipsum dolor sit amet. " * 40)


@dataclass(frozen=True, slots=True)
class Sample:
    """As much of a connector as a badge needs."""

    name: str
    review_state: ReviewState


_SAMPLES = (
    Sample("Notes", ReviewState.VERIFIED),
    Sample("Calendar", ReviewState.COMMUNITY),
    Sample("Verified ✓ GіtHub", ReviewState.CUSTOM),
    Sample("\u202egnp.elgooG", ReviewState.CUSTOM),
)


async def show(visit: Visit) -> Response:
    return visit.page(
        "components_show.html",
        samples=_SAMPLES,
        value=read_tree(_VALUE),
        states=("connected", "reconnect", "disconnecting", "not_connected", "not_added"),
        outcomes=("ok", "tool_error", "timeout", "refused", "not_connected", "interrupted"),
        errors={"wrong": "This is not a URL.", "chosen": "Please tick this if it is so.", "": "That cannot be used.",
                "hint": "Look at the fields below."},
    )  # fmt: skip


async def show_quiet(visit: Visit) -> Response:
    return visit.page(
        "problem.html",
        status=502,
        title="The service could not be reached",
        message="mcp.example.com did not answer within 10 seconds.",
        hint="Try again later. If it stays like this, ask whoever runs the service.",
        reference="ref_01jd2example",
    )
