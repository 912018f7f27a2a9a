"""The privacy policy of whoever runs this hub, in every version; the template, marked so, until there is one (S-04)."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.identity.model import Person, Role
from valetkey.kernel.errors import Forbidden, NotFound
from valetkey.privacy.policy import PrivacyPolicy
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_PATH = "/privacy"
_LONGEST_NUMBER = 6
_LONGEST = 20_000  # what fits into a form, whatever its letters; longer ones come from a file


async def show(visit: Visit) -> Response:
    """The version that holds."""
    return await _page(visit, await visit.services.privacy.policies.current())


async def show_version(visit: Visit) -> Response:
    """An earlier one: what somebody agreed to stays to be read."""
    number = visit.path("version")
    if not number.isdecimal() or len(number) > _LONGEST_NUMBER:
        raise NotFound("There is no such version of the privacy policy.")
    return await _page(visit, await visit.services.privacy.policies.get(int(number)))


async def accept(visit: Visit) -> Response:
    """The template becomes this hub's policy, by whoever answers for it."""
    await _demand_may_set(visit)
    if (detour := ask_again(visit, to=_PATH)) is not None:
        return detour
    await visit.services.privacy.policies.accept(actor=visit.actor)
    return visit.go(_PATH, done="policy-published")


async def publish(visit: Visit) -> Response:
    """Their own words, as the next version."""
    await _demand_may_set(visit)
    if (detour := ask_again(visit, to=_PATH)) is not None:
        return detour
    await visit.services.privacy.policies.publish(visit.form.one("text", limit=_LONGEST), actor=visit.actor)
    return visit.go(_PATH, done="policy-published")


async def seen(visit: Visit) -> Response:
    """The person has read what is new."""
    current = await visit.services.privacy.policies.current()
    await visit.services.privacy.policies.saw(visit.person, current.number)
    return visit.go("/")


async def may_set(visit: Visit, person: Person) -> bool:
    """The operator may, on the hub's host; on pages the owner of the first organization answers for the hub, as for its
    local programs."""
    home = (await visit.services.organizations.list())[0]
    return person.role is Role.OWNER and person.organization_id == home.id


async def _demand_may_set(visit: Visit) -> None:
    if not await may_set(visit, visit.person):
        raise Forbidden("Whoever runs this hub says what its privacy policy is.", hint="Ask them.")


async def _page(visit: Visit, policy: PrivacyPolicy) -> Response:
    person = visit.signed_in_as.person if visit.signed_in_as else None
    policies = visit.services.privacy.policies
    current = await policies.current()
    return visit.page(
        "privacy_show.html",
        policy=policy,
        is_current=policy.number == current.number,
        versions=await policies.list(),
        may_set=person is not None and await may_set(visit, person),
        is_news=person is not None and await policies.is_news_to(person),
    )
