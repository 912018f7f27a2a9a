"""6.A to 6.I: advice. None of these rules keeps anybody out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from valetkey.oauth.scopes import OFFLINE_ACCESS
from valetkey.review.model import CannotSay, Crawl, Finding, Rule, SeenTool, Severity, Stage
from valetkey.review.texts import folded, named, word_set
from valetkey.review.words import words_of

_BEGINNING: Final = 512
_RESERVED: Final = word_set("official verified trusted secure valetkey admin system root approved")
_LIMITS: Final = ("ratelimit", "ratelimit-limit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining")
_MANY_SCOPES: Final = 10


def _instructions(crawl: Crawl) -> Iterator[Finding]:
    said = crawl.lists.instructions if crawl.lists is not None else ""
    if not said.strip():
        yield _warn("server: instructions", "There are none.", "Say in a few sentences what the tools are for.")
        return
    beginning = folded(said[:_BEGINNING])
    if len(said) > _BEGINNING and not any(folded(tool.name) in beginning for tool in crawl.tools):
        yield _warn("server: instructions", "Their beginning names no tool.", "Begin with what a model must know.")


def _structured(crawl: Crawl) -> Iterator[Finding]:
    shaped = {tool.name: schema for tool in crawl.tools if (schema := _shape(tool)) is not None}
    if crawl.tools and not shaped:
        yield _warn("tools", "None declares the shape of its result.", "Give tools an outputSchema.")
    for call in crawl.trials.calls if crawl.trials is not None else ():
        if call.tool not in shaped or call.kind != "valid" or not call.answered or call.failed:
            continue
        if not isinstance(call.structured, dict):
            yield _warn(f"tool {named(call.tool)}", "Its result is not as declared.", "Give structuredContent.")
        elif lacking := _lacking(shaped[call.tool], call.structured):
            says = f"Its result lacks what it declares as required: {', '.join(map(named, lacking[:8]))}."
            yield _warn(f"tool {named(call.tool)}", says, "Keep to the outputSchema.")


def _shape(tool: SeenTool) -> Mapping[str, Any] | None:
    schema = tool.definition.get("outputSchema")
    return schema if isinstance(schema, dict) else None


def _lacking(schema: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    required = schema.get("required")
    return (
        [name for name in required if isinstance(name, str) and name not in result]
        if isinstance(required, list)
        else []
    )


def _detours(crawl: Crawl) -> Iterator[Finding]:
    pages = crawl.probe.pages if crawl.probe is not None else {}
    for field, page in sorted(pages.items()):
        if page.redirects > 1:
            yield _warn(f"listing: {field}", f"The link redirects {page.redirects} times.", "Link the page itself.")


def _reachable(crawl: Crawl) -> Iterator[Finding]:
    certificate = crawl.probe.certificate if crawl.probe is not None else None
    if certificate is None:
        raise CannotSay("no address was looked up")
    if all(":" in address for address in certificate.addresses):
        yield _warn(crawl.host, "It has IPv6 addresses only.", "Add an IPv4 address: many hubs have nothing else.")


def _limits(crawl: Crawl) -> Iterator[Finding]:
    headers = crawl.lists.answered.headers if crawl.lists is not None else {}
    if not any(name in headers for name in _LIMITS):
        yield _warn("answers", "They do not say how many requests are left.", "Send RateLimit headers.")


def _security_contact(crawl: Crawl) -> Iterator[Finding]:
    page = crawl.probe.pages.get("security") if crawl.probe is not None else None
    if page is None or page.status != 200 or "contact:" not in page.words.lower():
        yield _warn(crawl.host, "There is no /.well-known/security.txt with a contact.", "Publish one (RFC 9116).")


def _own_name(crawl: Crawl) -> Iterator[Finding]:
    names = [crawl.listing.name] if crawl.listing is not None else []
    info = crawl.lists.server.get("serverInfo") if crawl.lists is not None else None
    names += [str(info[key]) for key in ("name", "title") if key in info] if isinstance(info, dict) else []
    for name in dict.fromkeys(names):
        if reserved := set(words_of(folded(name))) & _RESERVED:
            yield _warn(f"name {named(name)}", f"It says {sorted(reserved)[0]}.", "Labels are given by the directory.")


def _lasting(crawl: Crawl) -> Iterator[Finding]:
    sign_in = crawl.probe.sign_in if crawl.probe is not None else None
    if sign_in is None or sign_in.server is None:
        raise CannotSay("there is no authorization server")
    if "refresh_token" in sign_in.grants and OFFLINE_ACCESS not in sign_in.server.scopes:
        yield _warn("authorization server", f"{OFFLINE_ACCESS} is not offered.", "Offer it, or renew without it.")


def _few_scopes(crawl: Crawl) -> Iterator[Finding]:
    sign_in = crawl.probe.sign_in if crawl.probe is not None else None
    if sign_in is None or sign_in.resource is None:
        raise CannotSay("there is no resource metadata")
    scopes = sign_in.resource.scopes
    words = {word for text in crawl.texts if text.tool for word in words_of(text.plain)}
    strange = [scope for scope in scopes if "*" in scope or ("admin" in words_of(scope) and "admin" not in words)]
    if strange:
        yield _warn("scopes", "Some say more than any tool needs.", "Ask for what tools need.", " ".join(strange[:8]))
    if len(scopes) > max(_MANY_SCOPES, len(crawl.tools)):
        yield _warn("scopes", f"There are {len(scopes)}, for {len(crawl.tools)} tools.", "Ask for what tools need.")


def _warn(where: str, says: str, do: str, quote: str = "") -> Finding:
    return Finding(Severity.WARN, where, says, do, quote)


RULES = (
    Rule("L-601", "6.A", "Instructions begin with what matters", Stage.LISTS, _instructions),
    Rule("L-602", "6.B", "Results have a declared shape", Stage.LISTS, _structured),
    Rule("L-603", "6.C", "Links lead where they say", Stage.PROBE, _detours),
    Rule("L-604", "6.D", "It has an IPv4 address", Stage.PROBE, _reachable),
    Rule("L-605", "6.E", "Answers tell limits", Stage.LISTS, _limits),
    Rule("L-606", "6.F", "There is a security contact", Stage.PROBE, _security_contact),
    Rule("L-607", "6.G", "Its name is its own", Stage.LISTS, _own_name),
    Rule("L-608", "6.H", "Sign-ins last", Stage.PROBE, _lasting),
    Rule("L-609", "6.I", "Scopes are few", Stage.LISTS, _few_scopes),
)
