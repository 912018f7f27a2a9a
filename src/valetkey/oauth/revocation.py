"""Telling an authorization server to forget a token (RFC 7009)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from valetkey.kernel.secret import Secret
from valetkey.net.model import Url
from valetkey.oauth.document import read_object
from valetkey.oauth.model import BadMetadata, Client, FormRequest
from valetkey.oauth.token import authenticated


class Revocation(StrEnum):
    """What the server made of it."""

    CONFIRMED = "confirmed"  # also for a token it did not know (section 2.2)
    UNSUPPORTED = "unsupported"  # it does not revoke tokens of this type
    FAILED = "failed"


def revocation_request(
    endpoint: Url, client: Client, *, token: Secret, hint: Literal["refresh_token", "access_token"]
) -> FormRequest:
    """The request to revoke `token`, with the client's authentication."""
    fields: dict[str, str | Secret] = {"token": token, "token_type_hint": hint}
    return authenticated(endpoint, client, fields)


def read_revocation_response(status: int, body: bytes) -> Revocation:
    """What the answer means. Only 200 confirms; the body of a 200 says nothing (section 2.2)."""
    if status == 200:
        return Revocation.CONFIRMED
    try:
        error = read_object(body).get("error")
    except BadMetadata:
        return Revocation.FAILED
    return Revocation.UNSUPPORTED if error == "unsupported_token_type" else Revocation.FAILED
