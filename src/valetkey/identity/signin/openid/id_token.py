"""Verifying an ID token (OpenID Connect Core 3.1.3.7): signature, issuer, audience, time, nonce; then what it says.

Keys come from the issuer's key set alone, never from the token. Only asymmetric algorithms that the provider names are
taken; `none` and shared secrets are among no provider's, whatever it says. Parsing is joserfc's, the claims are ours.
"""

from __future__ import annotations

import hmac
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry, extract_compact

from valetkey.identity.signin.openid.model import Claims, SignInRefused
from valetkey.kernel.errors import printable
from valetkey.kernel.secret import Secret
from valetkey.oauth.document import read_object
from valetkey.oauth.model import BadMetadata
from valetkey.oauth.openid import LONGEST_ID_TOKEN, OpenIdProvider

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_TYPES: Final = (RSAKey, ECKey, OKPKey)
_MOST_KEYS: Final = 50
_SMALLEST_RSA: Final = 2048
_SKEW: Final = timedelta(seconds=60)
_OLDEST: Final = timedelta(minutes=10)
_LONGEST_SUBJECT: Final = 255  # Core 2: ASCII, no more


class KeyUnknown(SignInRefused):
    """No key of the set is the one that the token names: the provider may have changed its keys."""


@dataclass(frozen=True, slots=True)
class Keys:
    """A provider's public keys for signatures; those that we cannot read, or should not take, are left out."""

    held: tuple[Key, ...]

    def for_token(self, kid: object, alg: str) -> Key:
        """The one key that may have signed. Raises `KeyUnknown`."""
        fitting = [key for key in self.held if _fits(key, alg) and (kid is None or key.kid == kid)]
        if len(fitting) != 1:  # none, or so many that which is meant would be a guess
            raise KeyUnknown("The provider's token is signed by a key that it does not publish.", reason="unknown_key")
        return fitting[0]


def read_keys(body: bytes) -> Keys:
    """A JSON Web Key Set (RFC 7517 5). Raises `BadMetadata` when it is none."""
    given = read_object(body).get("keys")
    if not isinstance(given, list):
        raise BadMetadata("The provider's key set has no “keys”.", field="jwks_uri")
    found = [_read_key(one) for one in given[:_MOST_KEYS]]
    return Keys(tuple(key for key in found if key is not None))


def _read_key(given: object) -> Key | None:
    if not isinstance(given, dict) or given.get("kty") not in ("RSA", "EC", "OKP") or given.get("use", "sig") != "sig":
        return None  # never "oct": what is published is no secret to verify anything by
    if "d" in given:
        return None  # a private key that was published is everybody's
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # what it warns of is left out below
            key = import_key(given)
            if isinstance(key, RSAKey) and key.public_key.key_size < _SMALLEST_RSA:
                return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, _TYPES) else None


def _fits(key: Key, alg: str) -> bool:
    stated = key.get("alg")
    if stated is not None and stated != alg:
        return False
    if isinstance(key, RSAKey):
        return alg[:2] in ("RS", "PS")
    return alg.startswith("ES") if isinstance(key, ECKey) else alg == "EdDSA"


def verify(
    id_token: Secret, keys: Keys, provider: OpenIdProvider, *, client_id: str, nonce: str, now: datetime
) -> Claims:
    """What the token says, if it is this provider's, for us, of now, and answers our question. `SignInRefused`."""
    claims = _signed(id_token, keys, provider)
    _check_for_us(claims, provider.issuer, client_id)
    _check_time(claims, now)
    if not hmac.compare_digest(_text(claims, "nonce").encode(errors="replace"), nonce.encode()):
        raise _refused("It does not answer this sign-in.", "nonce")
    subject = _text(claims, "sub")
    if not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise _refused("It does not say who.", "sub")
    verified = claims.get("email_verified")
    return Claims(
        issuer=provider.issuer,
        subject=subject,
        email=_text(claims, "email"),
        # Some write it as a text; whatever else it is, it is not a yes.
        email_verified=None if verified is None else verified is True or verified == "true",
        name=printable(_text(claims, "name").strip(), limit=99),
        auth_time=_instant(claims, "auth_time"),
    )


def _signed(id_token: Secret, keys: Keys, provider: OpenIdProvider) -> Mapping[str, Any]:
    """The claims, once the signature holds."""
    allowed = [name for name in ALGORITHMS if name in provider.signing_algs]
    if len(id_token) > LONGEST_ID_TOKEN:
        raise _refused("It is too long.", "token")
    token = id_token.reveal()  # to be read: it proves who somebody is, once, and opens nothing here
    try:
        header = extract_compact(token).headers()
        alg = header.get("alg")
        if not isinstance(alg, str) or alg not in allowed:
            raise _refused("It is signed in a way that is not taken here.", "alg")
        if "crit" in header:
            raise _refused("It has an extension that is not known here.", "crit")  # RFC 7515 4.1.11: we know none
        if header.get("typ", "JWT") not in ("JWT", "jwt", "id_token+jwt"):
            raise _refused("It is a token for something else.", "typ")  # an access token of the same issuer, say
        key = keys.for_token(header.get("kid"), alg)
        claims: Mapping[str, Any] = jwt.decode(token, key, allowed, registry=JWSRegistry(algorithms=allowed)).claims
    except (JoseError, ValueError, TypeError) as error:
        raise _refused("Its signature does not hold.", "signature") from error
    return claims


def _check_for_us(claims: Mapping[str, Any], issuer: str, client_id: str) -> None:
    if claims.get("iss") != issuer:
        raise _refused("It is another issuer's.", "iss")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if client_id not in named or not all(isinstance(one, str) for one in named):
        raise _refused("It is for another client.", "aud")
    party = claims.get("azp")
    if (party is None and len(named) > 1) or (party is not None and party != client_id):
        raise _refused("It was given to another client.", "azp")


def _check_time(claims: Mapping[str, Any], now: datetime) -> None:
    expires, issued, begins = (_instant(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None or expires <= now - _SKEW:
        raise _refused("It has expired.", "exp")
    if not now - _OLDEST <= issued <= now + _SKEW or (begins is not None and begins > now + _SKEW):
        raise _refused("It is not of now: do the clocks agree?", "iat")


def _instant(claims: Mapping[str, Any], name: str) -> datetime | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise _refused(f"“{name}” is no time.", name)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise _refused(f"“{name}” is no time.", name) from error


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _refused(why: str, reason: str) -> SignInRefused:
    return SignInRefused(f"The provider's token is not taken. {why}", reason=reason, hint="Begin again.")
