"""What is kept about the person who looks: what, where, how long; and how much of their calls, which they choose."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.kernel.errors import BadInput
from valetkey.privacy.consent import TEXT, TEXT_HASH
from valetkey.privacy.levels import EVERY, NOT_THERE, RANK, Level
from valetkey.web.visit import Visit

_PATH = "/settings/data"
_WORDS = {
    Level.FULL: "All of it, sealed for you",
    Level.METADATA: "Tool, time and outcome, no contents",
    Level.NONE: "That there was a call, and where to",
}


async def show(visit: Visit) -> Response:
    services, person = visit.services, visit.person
    levels = services.privacy.levels
    everywhere = await levels.holding(person.organization_id, person.id)
    connectors = await services.connectors.list_for(person)
    names = {EVERY: "Every service", **{one.slug: one.name[:60] for one in connectors}}
    return visit.page(
        "data_show.html",
        everywhere=everywhere,
        chosen=[
            (one, names.get(one.connector, one.connector), _WORDS[one.level])
            for one in await levels.choices(person.organization_id, person.id)
        ],
        bounds=[(one, names.get(one.connector, one.connector)) for one in await levels.bounds(person.organization_id)],
        connectors=tuple(names.items()),
        offered=[
            (level.value, words)
            for level, words in _WORDS.items()
            if RANK[everywhere.floor] <= RANK[level] <= RANK[everywhere.ceiling]
        ],
        words=_WORDS,
        not_there=NOT_THERE,
        kept=await services.privacy.keeping.kept(person.organization_id),
        holds=await services.privacy.holds.on(person),
        may_consent=await services.privacy.consents.may_ask(person),
        consent=await services.privacy.consents.of(person),
        text=TEXT,
        text_hash=TEXT_HASH,
        connections=len(await services.connections.list(person.id)),
        passkeys=len(await services.passkeys.list(person.id)),
        tokens=len(await services.tokens.list(person.id)),
        assistants=len(await services.families.list(person.id)),
    )


async def submit(visit: Visit) -> Response:
    """A choice for one service or for all; `unset` takes it back."""
    connector, level = visit.form.one("connector", limit=40), visit.form.one("level", limit=10)
    if level not in {"unset", *Level}:
        raise BadInput("There is no such level.", field="level")
    person = visit.person
    chosen = None if level == "unset" else Level(level)
    await visit.services.privacy.levels.choose(
        person.organization_id, person.id, chosen, connector=connector, actor=visit.actor
    )
    return visit.go(_PATH, done="level-chosen")


async def allow_training(visit: Visit) -> Response:
    """The person's yes, to the text of the page it came from. An unticked box is no yes."""
    if visit.form.one("agree", limit=10) != "yes":
        raise BadInput("Nothing was allowed: the box was not ticked.", field="agree")
    await visit.services.privacy.consents.give(
        visit.person, text_hash=visit.form.one("text", limit=64), actor=visit.actor
    )
    return visit.go(_PATH, done="training-allowed")


async def withdraw_training(visit: Visit) -> Response:
    await visit.services.privacy.consents.withdraw(visit.person, actor=visit.actor)
    return visit.go(_PATH, done="training-withdrawn")
