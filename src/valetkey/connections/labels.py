"""Signed labels: this hub's word, to be checked elsewhere, for what a connector is labeled today and by which policy.

A JSON web signature (RFC 7515) with a key that signs nothing else, so that no other statement of this hub can be taken
for a label. It is computed anew each time, from what the directory says now, and is good for an hour: a label can be
lost within a minute, and nobody could call back a statement that was handed out (DIR-02, S-05).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from valetkey.connections.client_keys import ClientKeys
from valetkey.connections.model import issuer_hash
from valetkey.directory.model import Connector
from valetkey.kernel.clock import Clock
from valetkey.oauth.client_assertion import signed_parts, with_signature

LIFETIME: Final = timedelta(hours=1)

_NAME: Final = "valetkey:labels"
"""In the place of an authorization server's issuer, which is a URL: the key is like none of theirs."""


@dataclass(frozen=True, slots=True)
class Label:
    """What was said, and by whom it can be checked: `statement` is the signature with it, `keys` the public keys."""

    label: str
    words: str
    policy: str
    at: datetime
    until: datetime
    statement: str
    keys: str


class Labels:
    """Signs. `public_url` is the hub's own, and the issuer of what it says."""

    def __init__(self, keys: ClientKeys, *, clock: Clock, public_url: str) -> None:
        self._keys = keys
        self._clock = clock
        self._public_url = public_url

    async def of(self, connector: Connector, *, policy: str) -> Label:
        """The label of a connector as the directory gives it now, under this version of the policy. `VaultFailed`."""
        now = self._clock.now()
        state = connector.review_state
        claims = {
            "iss": self._public_url,
            "sub": connector.slug,
            "name": connector.name,
            "endpoint": connector.url,
            "label": state.value,
            "words": state.label,
            "policy": policy,
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
        }
        signed = signed_parts(claims, kid=await self._keys.kid(_NAME), kind="label+jwt")
        statement = with_signature(signed, await self._keys.sign(_NAME, signed))
        return Label(
            state.value, state.label, policy, now, now + LIFETIME, statement.decode(),
            f"{self._public_url}/oauth/client/{issuer_hash(_NAME)}.jwks",
        )  # fmt: skip
