"""One visit from beginning to end: the four stages, each within its time, and none of them a reason to give up.

Whatever a server does (keeps silent, never ends, redirects, sends rubbish), what comes back is a `Crawl` that says so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from valetkey.kernel.errors import OutboundFailed
from valetkey.net.model import Url
from valetkey.review.conversation import Conversation, look_again, look_at_lists
from valetkey.review.model import Crawl, Exchange, Listing, Probe, Stage
from valetkey.review.probe import probe
from valetkey.review.records import NOTHING_RECORDED, Records
from valetkey.review.trials import try_tools
from valetkey.review.visit import Visit
from valetkey.upstream.model import Unauthorized


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants reviewed, and what they permit: `calls_tools` that read-only tools are called."""

    listing: Listing | None = None
    calls_tools: bool = False
    allowances: tuple[str, ...] = ()
    on_private_network: bool = False
    records: Records = NOTHING_RECORDED


async def crawl(visit: Visit, asked: Asked) -> Crawl:
    """Visits the connector. Raises nothing for what the server does."""
    seen = _blank(visit, asked)
    if asked.listing is None:
        seen = _missed(seen, Stage.LISTING, "there is no listing")
    try:
        async with asyncio.timeout(visit.patience.probe):
            seen = replace(seen, probe=await probe(visit, asked.listing))
    except TimeoutError:
        why = f"it took longer than {visit.patience.probe:g} s"
        seen = replace(_missed(seen, Stage.PROBE, why), probe=_silent(why))
    conversation = Conversation(visit)
    try:
        seen = await _lists(visit, conversation, seen)
        return await _trials(visit, conversation, asked, seen)
    finally:
        await conversation.close()


def _blank(visit: Visit, asked: Asked) -> Crawl:
    url: Url = visit.url
    return Crawl(
        url=url.text,
        host=url.host,
        scheme=url.scheme,
        seen_at=visit.clock.now(),
        listing=asked.listing,
        records=asked.records,
        allowances=asked.allowances,
        on_private_network=asked.on_private_network,
    )


async def _lists(visit: Visit, conversation: Conversation, seen: Crawl) -> Crawl:
    try:
        async with asyncio.timeout(visit.patience.lists):
            lists = await look_at_lists(visit, conversation)
        return replace(seen, lists=await look_again(visit, lists))
    except Unauthorized:
        if visit.account is None:
            return _missed(seen, Stage.LISTS, "it wants a sign-in, and no token was given")
        return replace(_missed(seen, Stage.LISTS, "it does not take the test account's token"), account_refused=True)
    except OutboundFailed as error:
        return _missed(seen, Stage.LISTS, error.message.rstrip("."))
    except TimeoutError:
        return _missed(seen, Stage.LISTS, f"it took longer than {visit.patience.lists:g} s")


async def _trials(visit: Visit, conversation: Conversation, asked: Asked, seen: Crawl) -> Crawl:
    if seen.lists is None:
        return _missed(seen, Stage.TRIALS, "no tools were listed")
    if not asked.calls_tools:
        return _missed(seen, Stage.TRIALS, "no test account was given, and no tool is called without one")
    try:
        async with asyncio.timeout(2 * visit.patience.trials):
            trials = await try_tools(visit, conversation, seen.lists.tools)
    except TimeoutError:
        return _missed(seen, Stage.TRIALS, f"it took longer than {2 * visit.patience.trials:g} s")
    left = (f"{trials.left_out} read-only tools were not called, for want of time.",) if trials.left_out else ()
    return replace(seen, trials=trials, allowances=(*seen.allowances, *left))


def _missed(seen: Crawl, stage: Stage, why: str) -> Crawl:
    return replace(seen, missing={**seen.missing, stage: why})


def _silent(why: str) -> Probe:
    """A probe of a server that kept everything waiting."""
    nothing = Exchange(problem=f"{why}.")
    return Probe(opening=nothing, stream=nothing, preflight=nothing, strange_origin=nothing, certificate_problem=why)
