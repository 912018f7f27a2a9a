"""5.F Streamable HTTP, and 5.G Local programs."""

from __future__ import annotations

from collections.abc import Iterator

from valetkey.review.model import Crawl, Exchange, Finding, Rule, Severity, Stage, UnrunRule


def _transport(crawl: Crawl) -> Iterator[Finding]:
    probe = crawl.probe
    assert probe is not None
    opening = probe.opening
    if opening.moved_to:
        yield _block("POST", "The endpoint redirects.", "List its final address: no credential follows a redirect.")
    elif opening.problem:
        yield _block("POST", f"No handshake: {opening.problem}", "Answer POST with JSON or an event stream.")
    elif crawl.lists is None and not probe.is_guarded:
        why = crawl.missing.get(Stage.LISTS, f"HTTP {opening.status}")
        yield _block("POST", f"It does not speak MCP here: {why}", "Give the URL of the MCP endpoint.")
    for why in crawl.lists.unreadable if crawl.lists is not None else ():
        yield _block(
            "tools/list", f"A tool's definition cannot be read. {why}", "Send JSON that can be read in one way."
        )
    if not opening.status:
        return
    if not _is_answered(probe.stream) and not (probe.is_guarded and probe.stream.status in (401, 403)):
        yield _warn("GET", f"It gets {_said(probe.stream)}.", "Answer with an event stream, or 405.")
    if probe.strange_origin.status == opening.status and opening.status < 300:
        yield _warn(
            "Origin",
            "A page of any origin may speak to it.",
            "Refuse unknown origins with 403: it keeps web pages from using what only the person may.",
        )
    if "access-control-allow-origin" not in probe.preflight.headers:
        yield _warn("OPTIONS", "Clients in browsers are not let in.", "Answer their preflight, if they are meant to.")
    unknown = crawl.lists.unknown_session if crawl.lists is not None else None
    if unknown is not None and unknown.status not in (404, 400):
        yield _warn("Mcp-Session-Id", f"A session that never was gets {_said(unknown)}.", "Answer 404.")


def _is_answered(stream: Exchange) -> bool:
    return stream.status in (200, 400, 404, 405, 406)


def _said(answer: Exchange) -> str:
    return answer.problem or f"HTTP {answer.status}"


def _block(where: str, says: str, do: str) -> Finding:
    return Finding(Severity.BLOCK, where, says, do)


def _warn(where: str, says: str, do: str) -> Finding:
    return Finding(Severity.WARN, where, says, do)


RULES = (
    Rule("L-510", "5.F", "Streamable HTTP is spoken", Stage.PROBE, _transport),
    UnrunRule(
        "L-511", "5.G", "Dependencies are sound", "it needs a database of known weaknesses, and a bundle to look at"
    ),
)
