"""Passkeys (WebAuthn): registered by a signed-in person, then enough to sign in by themselves.

User verification required, discoverable, no attestation (security.md 5.2). The challenge lies in the database, is
found by a token that only this browser has, and is used once, whatever the answer is worth.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from datetime import timedelta
from typing import NoReturn
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from valetkey.identity import repository as people_repository
from valetkey.identity.model import Passkey, Person, TrailWriter
from valetkey.identity.signin import repository
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, NotSignedIn, TooMany
from valetkey.kernel.ids import new_id
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database

_LIFETIME = timedelta(minutes=5)
_MOST_CHALLENGES = 10_000
_MOST_PASSKEYS = 20
_LONGEST_RESPONSE = 32 * 1024
_LONGEST_NAME = 100
_TIMEOUT_MS = 300_000


class Passkeys:
    """Both ceremonies, and a person's list of passkeys. `public_url` gives the relying party id and the origin."""

    def __init__(self, database: Database, *, clock: Clock, trail: TrailWriter, public_url: str) -> None:
        self._database = database
        self._clock = clock
        self._trail = trail
        self._origin = public_url
        self._rp_id = urlsplit(public_url).hostname or ""

    @property
    def available(self) -> bool:
        """Whether browsers allow passkeys here: they need a host name, an IP address will not do."""
        try:
            ipaddress.ip_address(self._rp_id)
        except ValueError:
            return bool(self._rp_id)
        return False

    async def registration(self, person: Person) -> tuple[str, str]:
        """Options (JSON for `navigator.credentials.create`) and the token that finds the challenge again."""
        self._must_be_available()
        async with self._database.read() as tx:
            known = await repository.list_passkeys(tx, person.id)
        if len(known) >= _MOST_PASSKEYS:
            raise TooMany(f"A person has at most {_MOST_PASSKEYS} passkeys.", hint="Remove one that is not used.")
        challenge = secrets.token_bytes(32)
        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name="Valetkey",
            user_id=person.id.encode(),
            user_name=person.login,
            user_display_name=person.display_name,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            attestation=AttestationConveyancePreference.NONE,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                require_resident_key=True,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=passkey.credential_id) for passkey in known],
        )
        return options_to_json(options), await self._keep(challenge, "register", person.id)

    async def register(self, person: Person, challenge_token: str, response_json: str, name: str) -> Passkey:
        """Stores the new passkey. `response_json` is the browser's JSON. Raises `BadInput`, or `Conflict` if known."""
        challenge = await self._take(challenge_token, "register")
        if challenge is None or challenge.person_id != person.id:
            raise BadInput("This registration has expired or was used.", field="passkey", hint="Start it again.")
        try:
            verified = verify_registration_response(
                credential=_bounded(response_json),
                expected_challenge=challenge.challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise BadInput(
                "The passkey's answer is not valid here.", field="passkey", hint="Start it again."
            ) from error
        new = Passkey(
            id=new_id("passkey"),
            person_id=person.id,
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            name=_checked_name(name),
            created_at=self._clock.now(),
            last_used_at=None,
        )
        async with self._database.write() as tx:
            await repository.add_passkey(tx, new)
        await self._write("passkey.added", person, new.id)
        return new

    async def assertion(self) -> tuple[str, str]:
        """Options (JSON for `navigator.credentials.get`, any passkey of this hub) and the challenge's token."""
        self._must_be_available()
        challenge = secrets.token_bytes(32)
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options), await self._keep(challenge, "signin", None)

    async def authenticate(self, challenge_token: str, response_json: str) -> Person:
        """The person whose passkey answered. Raises `NotSignedIn`, in the same words for every reason."""
        challenge = await self._take(challenge_token, "signin")  # 1. used up, whatever follows
        if challenge is None:
            _refuse()
        try:
            credential = parse_authentication_credential_json(_bounded(response_json))
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            _refuse(error)
        async with self._database.read() as tx:  # 2. whose passkey is it?
            passkey = await repository.find_passkey(tx, credential.raw_id)
            person = await people_repository.find_person(tx, passkey.person_id) if passkey else None
        if passkey is None or person is None or person.state != "active":
            _refuse()
        if credential.response.user_handle not in (None, b"", person.id.encode()):
            _refuse()
        count = self._verified(credential, passkey, challenge.challenge)  # 3. is the answer genuine?
        await self._count(passkey, person, count)  # 4. is it the only copy?
        return person

    # --- confirming one thing ----------------------------------------------------------------------------------

    async def assertion_over(self, person: Person, challenge: bytes) -> str:
        """Options (JSON for `navigator.credentials.get`) for one of this person's passkeys to sign `challenge`.

        The challenge is a hash of what is confirmed, with a nonce in it: nothing is kept here, and what it is good for
        is good once. Raises `NotFound` when the person has no passkey.
        """
        self._must_be_available()
        known = await self.list(person.id)
        if not known:
            raise NotFound("You have no passkey yet.", hint="Add one in the settings.")
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            allow_credentials=[PublicKeyCredentialDescriptor(id=passkey.credential_id) for passkey in known],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options)

    async def confirm(self, person: Person, challenge: bytes, response_json: str) -> bytes:
        """What proves that this person's passkey signed `challenge`, user verified. Raises `NotSignedIn`."""
        try:
            credential = parse_authentication_credential_json(_bounded(response_json))
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            _refuse(error)
        async with self._database.read() as tx:
            passkey = await repository.find_passkey(tx, credential.raw_id)
        if passkey is None or passkey.person_id != person.id:
            _refuse()
        if credential.response.user_handle not in (None, b"", person.id.encode()):
            _refuse()
        await self._count(passkey, person, self._verified(credential, passkey, challenge))
        proof = {"passkey": passkey.id, "response": json.loads(response_json)}
        return json.dumps(proof, separators=(",", ":")).encode()

    def _verified(self, credential: AuthenticationCredential, passkey: Passkey, challenge: bytes) -> int:
        """The authenticator's counter, if the answer is genuine."""
        try:
            verified = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=0,  # compared where a regression can be told from a forgery
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            _refuse(error)
        return verified.new_sign_count

    async def _count(self, passkey: Passkey, person: Person, count: int) -> None:
        """A counter that does not grow means that two authenticators hold the same key (WebAuthn 6.1.1)."""
        counts = count > 0 or passkey.sign_count > 0
        if counts and count <= passkey.sign_count:
            await self._write("passkey.counter_regressed", person, passkey.id)
            _refuse()
        async with self._database.write() as tx:
            done = await repository.count_up(tx, passkey, count, self._clock.now())
        if not done:
            _refuse()

    async def list(self, person_id: str) -> list[Passkey]:
        """Oldest first."""
        async with self._database.read() as tx:
            return await repository.list_passkeys(tx, person_id)

    async def remove(self, person_id: str, passkey_id: str) -> None:
        """Raises `NotFound`, or `Conflict` if nothing would be left to sign in with."""
        async with self._database.write() as tx:
            person = await people_repository.find_person(tx, person_id)
            others = [key for key in await repository.list_passkeys(tx, person_id) if key.id != passkey_id]
            has_password = await repository.find_password(tx, person_id) is not None
            if person is None or not await repository.remove_passkey(tx, person_id, passkey_id):
                raise NotFound("There is no such passkey.")
            if not others and not has_password:
                raise Conflict(
                    "This is the only way you can sign in.", hint="Add another passkey or set a password first."
                )
        await self._write("passkey.removed", person, passkey_id)

    def _must_be_available(self) -> None:
        if not self.available:
            raise BadInput(
                f"Browsers allow no passkeys at {self._rp_id or 'this address'}: they need a host name.",
                field="public_url",
                hint="Open the hub as http://localhost:PORT, or give it a host name with --public-url.",
            )

    async def _keep(self, challenge: bytes, purpose: str, person_id: str | None) -> str:
        token = secrets.token_urlsafe(32)
        now = self._clock.now()
        async with self._database.write() as tx:
            # Anybody may ask for a sign-in challenge, so there is a lid on how many lie there.
            if await repository.count_challenges(tx, purpose, now) >= _MOST_CHALLENGES:
                raise TooMany("Too many sign-ins are under way.", retry_after=60.0)
            kept = repository.Challenge(challenge, purpose, person_id, now + _LIFETIME)
            await repository.add_challenge(tx, Secret(token).digest(), kept)
        return token

    async def _take(self, token: str, purpose: str) -> repository.Challenge | None:
        async with self._database.write() as tx:
            taken = await repository.take_challenge(tx, Secret(token).digest())
        if taken is None or taken.purpose != purpose or taken.expires_at <= self._clock.now():
            return None
        return taken

    async def _write(self, event: str, person: Person, passkey_id: str) -> None:
        await self._trail.write(
            event,
            actor=f"person:{person.id}",
            organization_id=person.organization_id,
            person_id=person.id,
            object=passkey_id,
        )


def _refuse(cause: Exception | None = None) -> NoReturn:
    raise NotSignedIn("This passkey did not sign you in.", hint="Try again, or sign in another way.") from cause


def _bounded(response_json: str) -> str:
    if len(response_json) > _LONGEST_RESPONSE or not isinstance(json.loads(response_json), dict):
        raise ValueError("not a credential")
    return response_json


def _checked_name(text: str) -> str:
    name = text.strip()[:_LONGEST_NAME]
    return name if name and name.isprintable() else "Passkey"
