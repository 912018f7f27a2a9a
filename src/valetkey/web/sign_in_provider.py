"""How the organization's people sign in: its identity provider and its domains, for its owners."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.identity.signin.openid.providers import PROOF, Wish
from valetkey.kernel.errors import BadInput, Conflict, OutboundFailed, TooMany
from valetkey.oauth.model import BadMetadata
from valetkey.web.powers import check_owner
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/admin/sign-in"
_WHO = [
    ("known", "Only who has an account here already"),
    ("everybody", "Everybody with a verified address of our domains, as a member"),
]
_HOW = [
    ("also", "Through the provider, or as before"),
    ("only", "Only through the provider; owners, who can put it right, also as before"),
]
_EMAIL = [
    ("says", "When it says that the address is verified"),
    ("trusted", "Always: it gives out addresses of our domains itself, and does not say"),
]


async def show(visit: Visit) -> Response:
    await check_owner(visit)
    return await _page(visit, {}, None)


async def submit(visit: Visit) -> Response:
    await check_owner(visit)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    form, secret = visit.form, visit.form.secret("client_secret", limit=500)
    values = {name: form.one(name, limit=500) for name in ("issuer", "client_id", "who", "how", "email")}
    wish = Wish(
        issuer=values["issuer"],
        client_id=values["client_id"],
        client_secret=secret or None,
        is_required=values["how"] == "only",
        adds_people=values["who"] == "everybody",
        trusts_email=values["email"] == "trusted",
    )
    try:
        await visit.services.openid.providers.set(visit.person.organization_id, wish, by=visit.actor)
    except BadInput as error:
        return await _page(visit, {error.field if error.field in values else "issuer": error.message}, values)
    except (BadMetadata, OutboundFailed, Conflict) as error:
        return await _page(visit, {"": error.message, "hint": error.hint}, values)
    return visit.go(_HERE, done="provider-set")


async def remove(visit: Visit) -> Response:
    await check_owner(visit)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    await visit.services.openid.providers.remove(visit.person.organization_id, by=visit.actor)
    return visit.go(_HERE, done="provider-removed")


async def add_domain(visit: Visit) -> Response:
    await check_owner(visit)
    try:
        await visit.services.openid.providers.add_domain(
            visit.person.organization_id, visit.form.one("domain", limit=300), by=visit.actor
        )
    except (BadInput, Conflict, TooMany) as error:
        return await _page(visit, {"domain": str(error)}, None)
    return visit.go(_HERE, done="domain-added")


async def verify_domain(visit: Visit) -> Response:
    await check_owner(visit)
    try:
        await visit.services.openid.providers.verify_domain(
            visit.person.organization_id, visit.path("domain"), by=visit.actor
        )
    except (BadInput, Conflict) as error:
        return await _page(visit, {"": error.message, "hint": error.hint}, None)
    return visit.go(_HERE, done="domain-verified")


async def remove_domain(visit: Visit) -> Response:
    await check_owner(visit)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    await visit.services.openid.providers.remove_domain(
        visit.person.organization_id, visit.path("domain"), by=visit.actor
    )
    return visit.go(_HERE, done="domain-removed")


async def _page(visit: Visit, errors: Mapping[str, str], given: Mapping[str, str] | None) -> Response:
    providers, organization_id = visit.services.openid.providers, visit.person.organization_id
    provider = await providers.of(organization_id)
    values = given or {
        "issuer": provider.issuer if provider else "",
        "client_id": provider.client_id if provider else "",
        "who": "known" if provider and not provider.adds_people else "everybody",
        "how": "only" if provider and provider.is_required else "also",
        "email": "trusted" if provider and provider.trusts_email else "says",
    }
    return visit.page(
        "sign_in_provider.html",
        status=422 if errors else 200,
        errors=errors,
        values=values,
        provider=provider,
        callback=providers.callback(organization_id),
        domains=await providers.domains(organization_id),
        proof=PROOF,
        who=_WHO,
        how=_HOW,
        email=_EMAIL,
    )
