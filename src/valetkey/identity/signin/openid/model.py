"""The values of signing in through an organization's provider, and what it needs of the floors around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

from valetkey.identity.model import Person
from valetkey.kernel.errors import Forbidden
from valetkey.kernel.secret import Secret
from valetkey.net.limits import METADATA, Limits
from valetkey.net.model import Fetched, Url
from valetkey.oauth.model import Client, ClientAuth
from valetkey.oauth.openid import IdTokenReplied
from valetkey.vault.model import Binding

Purpose = Literal["signin", "again", "link"]
"""Why somebody is sent to the provider: to come in, to prove again who they are, or to tie their account to theirs."""

CALLBACK: Final = "/signin/organization/callback/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An organization's identity provider, as its owner set it. The client's secret is sealed, for `sealed_for`."""

    organization_id: str
    issuer: str
    client_id: str
    client_auth: ClientAuth
    sealed_for: str
    is_required: bool
    """Its people, owners excepted, come in this way only."""
    adds_people: bool
    """Somebody new of a verified domain becomes a member by signing in."""
    trusts_email: bool
    """For a provider that does not say whether an address is verified; one that says it is not is never trusted."""
    set_at: datetime

    @property
    def binding(self) -> Binding:
        """What the client's secret is sealed for: this organization, this issuer, this token endpoint."""
        return Binding(
            tenant=self.organization_id,
            person="",
            subject=f"signin:{self.organization_id}",
            purpose="client_secret",
            origin=self.sealed_for,
            issuer=self.issuer,
        )


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain that an organization says is its own; so it is once it was verified, and only of one of them."""

    organization_id: str
    name: str
    challenge: str
    created_at: datetime
    verified_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Somebody was sent to the provider. Good once, for the browser that began."""

    organization_id: str
    issuer: str
    browser_hash: str
    nonce: str
    purpose: Purpose
    person_id: str
    """Who is signed in already, when the purpose is not to come in."""
    to: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified ID token says. `email_verified` is `None` when it does not say."""

    issuer: str
    subject: str
    email: str
    email_verified: bool | None
    name: str
    auth_time: datetime | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom an account is tied to at its organization's provider."""

    organization_id: str
    issuer: str
    subject: str
    person_id: str
    linked_at: datetime


@dataclass(frozen=True, slots=True)
class Arrived:
    """Somebody came back, and is who they are. `authenticated_at` is when they last proved it to the provider."""

    person: Person
    purpose: Purpose
    authenticated_at: datetime
    to: str


class SignInRefused(Forbidden):
    """The provider vouched for nobody who may come in. `reason` is a stable word, for the trail."""

    code = "sign_in_refused"

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class Fetches(Protocol):
    """`net.client.WebClient`, as far as this needs it."""

    async def get(self, url: Url, *, headers: Mapping[str, str] = ..., limits: Limits = METADATA) -> Fetched: ...


class Identifies(Protocol):
    """`connections.desk`: the one place that posts our secret to a token endpoint."""

    async def identify(
        self, endpoint: Url, client: Client, *, issuer: str, code: Secret, verifier: Secret, redirect_uri: str
    ) -> IdTokenReplied: ...
