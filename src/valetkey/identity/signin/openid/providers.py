"""An organization's identity provider and domains, as its owner sets them. Each change is in the trail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from valetkey.identity.model import TrailWriter
from valetkey.identity.organizations import Organizations
from valetkey.identity.signin.openid import repository
from valetkey.identity.signin.openid.model import CALLBACK, Domain, Fetches, Provider
from valetkey.identity.signin.openid.published import Published
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany, ValetkeyError, printable
from valetkey.kernel.ids import new_token
from valetkey.kernel.secret import Secret
from valetkey.net.limits import METADATA
from valetkey.oauth.model import BadMetadata, ClientAuth, ParseUrl
from valetkey.oauth.openid import OpenIdProvider
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.vault.verbs import Vault

PROOF = "/.well-known/valetkey-domain.txt"
_MOST_DOMAINS = 50
_LONGEST = 500
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")
# A secret in the header, where a secret in the form is not the only way: forms are what gets logged.
_WAYS: tuple[ClientAuth, ...] = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an owner sets. Without a `client_secret` the one that is there stays, if it is for the same issuer."""

    issuer: str
    client_id: str
    client_secret: Secret | None
    is_required: bool = False
    adds_people: bool = True
    trusts_email: bool = False


class Providers:
    """Sets, shows and removes. `public_url` is the hub's origin, below which the callbacks lie."""

    def __init__(
        self,
        database: Database,
        notifications: Notifications,
        *,
        organizations: Organizations,
        published: Published,
        vault: Vault,
        web: Fetches,
        parse: ParseUrl,
        clock: Clock,
        trail: TrailWriter,
        public_url: str,
    ) -> None:
        self._database = database
        self._notifications = notifications
        self._organizations = organizations
        self._published = published
        self._vault = vault
        self._web = web
        self._parse = parse
        self._clock = clock
        self._trail = trail
        self._public_url = public_url

    def callback(self, organization_id: str) -> str:
        """The one address that this organization's provider sends people back to; to be registered there."""
        return f"{self._public_url}{CALLBACK}{organization_id}"

    async def of(self, organization_id: str) -> Provider | None:
        async with self._database.read() as tx:
            return await repository.find_provider(tx, organization_id)

    async def any(self) -> bool:
        """Whether there is one at all, for a page that offers it."""
        async with self._database.read() as tx:
            return await repository.has_provider(tx)

    async def set(self, organization_id: str, wish: Wish, *, by: str) -> Provider:
        """Asks the issuer what it is, and keeps it. Raises `BadInput`, `Conflict`, `BadMetadata`, what `net` raises."""
        if (await self._organizations.get(organization_id)).kind == "personal":
            raise Conflict("A personal account has no identity provider.", hint="Create an organization.")
        before = await self.of(organization_id)
        issuer, client_id = _checked(wish)
        found = await self._published.configuration(issuer, anew=True)
        if wish.is_required and not [one for one in await self.domains(organization_id) if one.verified_at]:
            raise Conflict("No domain of the organization is verified, so nobody could come in.")
        new = Provider(
            organization_id=organization_id,
            issuer=found.issuer,
            client_id=client_id,
            client_auth="none",
            sealed_for="",
            is_required=wish.is_required,
            adds_people=wish.adds_people,
            trusts_email=wish.trusts_email,
            set_at=self._clock.now(),
        )
        new = await self._with_secret(new, before, found, wish.client_secret)
        async with self._database.write() as tx:
            await repository.set_provider(tx, new)
            ended = await repository.end_other_sessions(tx, organization_id) if new.is_required else []
        for person_id in ended:
            await self._notifications.publish("sessions", person_id)
        detail = _told(new) | {f"{name}_before": value for name, value in (_told(before) if before else {}).items()}
        was = {"secret_set": wish.client_secret is not None}
        await self._write("sign_in.provider_set", organization_id, by, detail | was | {"sessions_ended": len(ended)})
        return new

    async def remove(self, organization_id: str, *, by: str) -> None:
        """People come in by passwords and passkeys again. Raises `NotFound`."""
        provider = await self.of(organization_id)
        async with self._database.write() as tx:
            removed = await repository.remove_provider(tx, organization_id)
        if provider is None or not removed:
            raise NotFound("This organization has no identity provider.")
        await self._vault.shred(provider.binding.subject)
        await self._write("sign_in.provider_removed", organization_id, by, {"issuer": provider.issuer})

    # --- domains ----------------------------------------------------------------------------------------------------

    async def verified_domains(self, organization_id: str) -> frozenset[str]:
        """The names of those that are its own."""
        return frozenset(one.name for one in await self.domains(organization_id) if one.verified_at is not None)

    async def domains(self, organization_id: str) -> list[Domain]:
        """By name."""
        async with self._database.read() as tx:
            return await repository.list_domains(tx, organization_id)

    async def add_domain(self, organization_id: str, name: str, *, by: str) -> Domain:
        """Names a domain, not yet verified. Raises `BadInput`, `Conflict`, `TooMany`."""
        if (await self._organizations.get(organization_id)).kind == "personal":
            raise Conflict("A personal account has no domains.", hint="Create an organization.")
        # Public: whoever controls the domain shows that they do by publishing it, and it is of no other use.
        challenge = new_token("vkd").digest()
        new = Domain(organization_id, normal_domain(name), f"valetkey-domain={challenge}", self._clock.now(), None)
        if len(await self.domains(organization_id)) >= _MOST_DOMAINS:
            raise TooMany(f"An organization has at most {_MOST_DOMAINS} domains.", hint="Remove one.")
        async with self._database.write() as tx:
            await repository.add_domain(tx, new)
        await self._write("domain.added", organization_id, by, {"domain": new.name})
        return new

    async def verify_domain(self, organization_id: str, name: str, *, by: str, vouched: bool = False) -> Domain:
        """Looks for the challenge below the domain; who runs the hub can vouch instead.

        Raises `NotFound`, `Conflict`, `BadInput` when it is not there, and what `net` raises.
        """
        domain = await self._named(organization_id, name)
        if not vouched:
            await self._look_for(domain)
        now = self._clock.now()
        async with self._database.write() as tx:
            await repository.verify_domain(tx, organization_id, domain.name, now)
        detail = {"domain": domain.name, "how": "vouched" if vouched else "published"}
        await self._write("domain.verified", organization_id, by, detail)
        return replace(domain, verified_at=now)

    async def remove_domain(self, organization_id: str, name: str, *, by: str) -> None:
        """Nobody comes in by it any more; who is here stays. Raises `NotFound`."""
        domain = await self._named(organization_id, name)
        async with self._database.write() as tx:
            await repository.remove_domain(tx, organization_id, domain.name)
        await self._write("domain.removed", organization_id, by, {"domain": domain.name})

    # --- within -----------------------------------------------------------------------------------------------------

    async def _with_secret(
        self, new: Provider, before: Provider | None, found: OpenIdProvider, secret: Secret | None
    ) -> Provider:
        """The same with the way in which we prove who we are; the secret is sealed for this token endpoint alone."""
        origin = found.token_endpoint.origin
        if secret is None:
            kept = before is not None and before.sealed_for == origin and before.issuer == new.issuer
            if before is not None and kept and before.client_id == new.client_id:
                return replace(new, client_auth=before.client_auth, sealed_for=origin)
            if before is not None:
                await self._vault.shred(before.binding.subject)
            return new
        way = next((one for one in _WAYS if one in found.client_auths), None)
        if way is None:
            raise BadMetadata("The provider takes no client secret.", field="token_endpoint_auth_methods_supported")
        new = replace(new, client_auth=way, sealed_for=origin)
        try:
            await self._vault.seal(secret, bound_to=new.binding)
        finally:
            secret.wipe()
        return new

    async def _look_for(self, domain: Domain) -> None:
        url = self._parse(f"https://{domain.name}{PROOF}")
        try:
            fetched = await self._web.get(url, headers={"accept": "text/plain"}, limits=METADATA)
        except ValetkeyError as error:
            raise BadInput(
                f"{domain.name} could not be asked. {error.message}", field="domain", hint=f"Is {url.text} published?"
            ) from error
        lines = fetched.body[:4096].decode("utf-8", "replace").split()
        if fetched.status != 200 or domain.challenge not in lines:
            raise BadInput(
                f"{printable(url.text)} does not hold this domain's line.", field="domain", hint=domain.challenge
            )

    async def _named(self, organization_id: str, name: str) -> Domain:
        async with self._database.read() as tx:
            domain = await repository.find_domain(tx, organization_id, normal_domain(name))
        if domain is None:
            raise NotFound("The organization has not named this domain.")
        return domain

    async def _write(self, event: str, organization_id: str, by: str, detail: Mapping[str, object]) -> None:
        await self._trail.write(
            event, actor=by, organization_id=organization_id, object=organization_id, detail=dict(detail)
        )


def normal_domain(text: str) -> str:
    """A domain in the one spelling under which it is kept and compared. Raises `BadInput`."""
    name = text.strip().lower().removesuffix(".")
    if len(name) > 253 or not _DOMAIN.fullmatch(name):
        raise BadInput(
            "That is no domain.", field="domain", hint="Write it as example.com; others than ASCII in their xn-- form."
        )
    return name


def _checked(wish: Wish) -> tuple[str, str]:
    for field, value in (("issuer", wish.issuer), ("client_id", wish.client_id)):
        if not 0 < len(value) <= _LONGEST or not value.isprintable() or " " in value:
            raise BadInput(f"{field} has 1 to {_LONGEST} characters, without spaces.", field=field)
    return wish.issuer, wish.client_id


def _told(provider: Provider) -> dict[str, object]:
    """What stands of it in the trail, now and as what was before (ORG-12)."""
    return {
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "required": provider.is_required,
        "adds_people": provider.adds_people,
        "trusts_email": provider.trusts_email,
    }
