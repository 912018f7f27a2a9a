"""How an organization's people sign in: its identity provider, its domains, and whom an account is tied to there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool

from valetkey.api.asking import Needs, OnlyOperator, Rooms, Scope, actor_of, demand_act, find_person
from valetkey.api.keys import demand_fresh
from valetkey.api.paging import At, Page
from valetkey.api.services import Services
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act
from valetkey.identity.signin.openid.model import Domain, Provider
from valetkey.identity.signin.openid.providers import Wish
from valetkey.kernel.errors import NotFound
from valetkey.kernel.secret import Secret

router = APIRouter(tags=["sign-in"])

Reader = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_WRITE, operator=True))]
Operator = Annotated[Principal, Depends(OnlyOperator())]
OrganizationId = Annotated[str, Path(max_length=40)]
DomainName = Annotated[str, Path(max_length=300)]


class ProviderShown(BaseModel):
    organization_id: str
    issuer: str
    client_id: str
    client_auth: str
    required: bool = Field(description="People come in this way only; owners, who can put it right, excepted.")
    adds_people: bool = Field(description="Somebody new of a verified domain becomes a member by signing in.")
    trusts_email: bool = Field(description="Also addresses of which the provider does not say that they are verified.")
    callback: str = Field(description="The address to register at the provider.")
    set_at: datetime

    @classmethod
    def of(cls, provider: Provider, rooms: Services) -> ProviderShown:
        return cls(
            organization_id=provider.organization_id,
            issuer=provider.issuer,
            client_id=provider.client_id,
            client_auth=provider.client_auth,
            required=provider.is_required,
            adds_people=provider.adds_people,
            trusts_email=provider.trusts_email,
            callback=rooms.openid.providers.callback(provider.organization_id),
            set_at=provider.set_at,
        )


class ProviderWanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    issuer: str = Field(min_length=1, max_length=500)
    client_id: str = Field(min_length=1, max_length=500)
    client_secret: SecretStr | None = Field(
        default=None, max_length=500, description="Sealed, never shown. Not given: the one that is there stays."
    )
    required: StrictBool = False
    adds_people: StrictBool = True
    trusts_email: StrictBool = False


class DomainShown(BaseModel):
    name: str
    challenge: str = Field(description="The line to publish at https://DOMAIN/.well-known/valetkey-domain.txt.")
    created_at: datetime
    verified_at: datetime | None

    @classmethod
    def of(cls, domain: Domain) -> DomainShown:
        return cls(
            name=domain.name, challenge=domain.challenge, created_at=domain.created_at, verified_at=domain.verified_at
        )


class NewDomain(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=253)


class Verification(BaseModel):
    model_config = ConfigDict(extra="forbid")

    vouched: StrictBool = Field(default=False, description="Not looked for: who runs the hub knows. Operator only.")


@router.get("/organizations/{organization}/sign-in", operation_id="show_sign_in")
async def show_sign_in(organization: OrganizationId, who: Reader, rooms: Rooms) -> ProviderShown:
    """The organization's identity provider."""
    demand_own(who, organization)
    provider = await rooms.openid.providers.of(organization)
    if provider is None:
        raise NotFound("This organization has no identity provider.")
    return ProviderShown.of(provider, rooms)


@router.put("/organizations/{organization}/sign-in", operation_id="set_sign_in")
async def set_sign_in(organization: OrganizationId, wanted: ProviderWanted, who: Writer, rooms: Rooms) -> ProviderShown:
    """Sets the identity provider; its metadata is read first. An owner, with a token made within the hour."""
    await demand_owner(who, organization, rooms)
    secret = wanted.client_secret
    wish = Wish(
        issuer=wanted.issuer,
        client_id=wanted.client_id,
        client_secret=Secret(secret.get_secret_value()) if secret is not None else None,
        is_required=wanted.required,
        adds_people=wanted.adds_people,
        trusts_email=wanted.trusts_email,
    )
    return ProviderShown.of(await rooms.openid.providers.set(organization, wish, by=actor_of(who)), rooms)


@router.delete("/organizations/{organization}/sign-in", operation_id="remove_sign_in", status_code=204)
async def remove_sign_in(organization: OrganizationId, who: Writer, rooms: Rooms) -> None:
    """People sign in with passkeys and passwords again."""
    await demand_owner(who, organization, rooms)
    await rooms.openid.providers.remove(organization, by=actor_of(who))


@router.get("/organizations/{organization}/domains", operation_id="list_domains")
async def list_domains(organization: OrganizationId, who: Reader, rooms: Rooms, at: At) -> Page[DomainShown]:
    """The domains that the organization says are its own, verified or not."""
    demand_own(who, organization)
    await rooms.organizations.get(organization)
    found = await rooms.openid.providers.domains(organization)
    return at.page(found, by=lambda one: (one.name,), show=DomainShown.of)


@router.post("/organizations/{organization}/domains", operation_id="add_domain", status_code=201)
async def add_domain(organization: OrganizationId, new: NewDomain, who: Writer, rooms: Rooms) -> DomainShown:
    """Names a domain, and says what to publish there."""
    await demand_owner(who, organization, rooms)
    return DomainShown.of(await rooms.openid.providers.add_domain(organization, new.name, by=actor_of(who)))


@router.post("/organizations/{organization}/domains/{domain}/verify", operation_id="verify_domain")
async def verify_domain(
    organization: OrganizationId, domain: DomainName, wanted: Verification, who: Writer, rooms: Rooms
) -> DomainShown:
    """Looks for the line that proves whose the domain is."""
    await demand_owner(who, organization, rooms)
    if wanted.vouched:
        OnlyOperator().demand(who)
    verified = await rooms.openid.providers.verify_domain(
        organization, domain, by=actor_of(who), vouched=wanted.vouched
    )
    return DomainShown.of(verified)


@router.delete("/organizations/{organization}/domains/{domain}", operation_id="remove_domain", status_code=204)
async def remove_domain(organization: OrganizationId, domain: DomainName, who: Writer, rooms: Rooms) -> None:
    """Nobody new comes in by it; who is here stays."""
    await demand_owner(who, organization, rooms)
    await rooms.openid.providers.remove_domain(organization, domain, by=actor_of(who))


@router.delete("/people/{person}/identity", operation_id="untie_person", status_code=204)
async def untie_person(person: Annotated[str, Path(max_length=254)], who: Operator, rooms: Rooms) -> None:
    """The account is tied to nobody at the provider any more. Only who runs the hub: the next to come could be anybody

    that the organization's provider says it is.
    """
    await rooms.openid.accounts.untie(await find_person(rooms, person), by=actor_of(who))


def demand_own(who: Principal, organization_id: str) -> None:
    """Another's organization is not found. Raises `NotFound`."""
    if who.kind != "operator" and organization_id != who.organization_id:
        raise NotFound("There is no such organization.")


async def demand_owner(who: Principal, organization_id: str, rooms: Services, *, fresh: bool = True) -> None:
    """Whoever sets this decides who can come in as whom: an owner, lately signed in, or who runs the hub."""
    demand_own(who, organization_id)
    demand_act(who, Act.MANAGE_ORGANIZATION)
    if fresh:
        await demand_fresh(who, rooms)
    await rooms.organizations.get(organization_id)
