"""What clients say of themselves, read strictly: client ID metadata documents, pinned files, and registrations.

Pure: bytes in, values out. A client ID metadata document (draft-ietf-oauth-client-id-metadata-document) is as good as
the https host it lies on; a registration (RFC 7591) is as good as nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from valetkey.identity.model import Client, ClientRefused
from valetkey.identity.redirects import UnknownScheme, read_redirect
from valetkey.kernel.errors import BadInput, StartRefused, printable
from valetkey.net.model import Url
from valetkey.net.url import parse_url

LARGEST_DOCUMENT = 10 * 1024
LARGEST_REGISTRATION = 4 * 1024
_LONGEST_ID = 1000
_LONGEST_NAME = 60
_MOST_REDIRECTS = 5
_MOST_REDIRECTS_IN_DOCUMENT = 50

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post"]


def is_document_id(client_id: str) -> bool:
    """Whether a client id means a document to be fetched."""
    return client_id.startswith("https://")


def read_client_id(client_id: str) -> Url:
    """The URL of a client ID metadata document. Raises `ClientRefused`."""
    if len(client_id) > _LONGEST_ID:
        raise ClientRefused(f"The client_id is longer than {_LONGEST_ID} characters.")
    try:
        url = parse_url(client_id, what="client_id")
    except BadInput as error:
        raise ClientRefused(error.message, hint=error.hint) from error
    if url.scheme != "https":
        raise ClientRefused("The client_id is not an https URL.")
    if url.path in ("", "/"):
        raise ClientRefused("The client_id is a URL without a path.")
    if not client_id.startswith(url.origin + "/"):
        # Byte equality is the whole proof of this client, so there must be one way only to write its host.
        raise ClientRefused("The client_id is not written canonically: lower-case host, no default port.")
    if any(char in unquote(url.path) for char in "\\?#"):
        raise ClientRefused("The client_id has an encoded delimiter in its path.")
    return url


def read_document(body: bytes, *, client_id: str, now: datetime, kind: Literal["cimd", "pinned"]) -> Client:
    """The client that the document at `client_id` describes. Raises `ClientRefused`."""
    read_client_id(client_id)
    if len(body) > LARGEST_DOCUMENT:
        raise ClientRefused(f"The client's document is larger than {LARGEST_DOCUMENT} bytes.")
    document = _read_object(body, "The client's document")
    if document.get("client_id") != client_id:
        raise ClientRefused("The client's document names another client_id than its own address.")
    # A secret in a public document would be none; we offer no key-based method either.
    if any(name in document for name in ("client_secret", "client_secret_expires_at")):
        raise ClientRefused("The client's document holds a client secret.")
    if document.get("token_endpoint_auth_method", "none") != "none":
        raise ClientRefused("The client's document asks for client authentication; only “none” is possible.")
    _check_flow(document)
    redirect_uris = _read_redirects(document, most=_MOST_REDIRECTS_IN_DOCUMENT, drop_unknown_schemes=False)
    return Client(
        id=client_id,
        kind=kind,
        name=_read_name(document, default=read_client_id(client_id).host),
        redirect_uris=redirect_uris,
        auth_method="none",
        secret_hash=None,
        document_hash=_hash(document),
        created_at=now,
    )


def load_pinned(paths: Sequence[Path], *, now: datetime) -> Mapping[str, Client]:
    """Clients by id from the operator's files (`pinned_clients`). Raises `StartRefused` naming the file."""
    clients = {}
    for path in paths:
        try:
            body = path.read_bytes()
            document = _read_object(body, "The file")
            client = read_document(body, client_id=str(document.get("client_id", "")), now=now, kind="pinned")
        except OSError as error:
            raise StartRefused(
                f"The pinned client {path} cannot be read: {error.strerror}.", hint="Check --pinned-clients."
            ) from error
        except ClientRefused as error:
            raise StartRefused(f"The pinned client {path} is not usable: {error.message}") from error
        clients[client.id] = client
    return clients


@dataclass(frozen=True, slots=True)
class Registration:
    """What a dynamic registration asks for, as far as we grant it."""

    name: str
    redirect_uris: tuple[str, ...]
    auth_method: AuthMethod
    document_hash: str


def read_registration(body: bytes) -> Registration:
    """An RFC 7591 client registration request. Raises `ClientRefused` with that RFC's error word."""
    if len(body) > LARGEST_REGISTRATION:
        raise _bad_metadata(f"A registration has at most {LARGEST_REGISTRATION} bytes.")
    try:
        document = _read_object(body, "The registration")
    except ClientRefused as error:
        raise _bad_metadata(error.message) from error
    # RFC 7591 2: who does not say gets client_secret_basic.
    method = document.get("token_endpoint_auth_method", "client_secret_basic")
    if method not in ("none", "client_secret_basic", "client_secret_post"):
        raise _bad_metadata("token_endpoint_auth_method is none, client_secret_basic or client_secret_post.")
    try:
        _check_flow(document)
    except ClientRefused as error:
        raise _bad_metadata(error.message) from error
    return Registration(
        name=_read_name(document, default="An unnamed client"),
        redirect_uris=_read_redirects(document, most=_MOST_REDIRECTS, drop_unknown_schemes=True),
        auth_method=method,
        document_hash=_hash(document),
    )


def _read_object(body: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(body.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise ClientRefused(f"{what} is not valid JSON.") from error
    if not isinstance(document, dict):
        raise ClientRefused(f"{what} is not a JSON object.")
    return document


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")  # two readers would see two documents
    return found


def _check_flow(document: Mapping[str, Any]) -> None:
    """The grants and responses asked for must include ours; others are not granted, and not echoed."""
    for name, ours in (("grant_types", "authorization_code"), ("response_types", "code")):
        asked = document.get(name, [ours])
        if not isinstance(asked, list) or ours not in asked:
            raise ClientRefused(f"{name} does not include {ours}.", error="invalid_client_metadata")


def _read_redirects(document: Mapping[str, Any], *, most: int, drop_unknown_schemes: bool) -> tuple[str, ...]:
    """The usable redirect URIs.

    Cursor registers three at once, one of them private-use: a private-use URI we do not take is left out of the
    answer, the rest of the registration stands (RFC 7591 3.2.1). Anything else wrong refuses the whole.
    """
    asked = document.get("redirect_uris")
    if not isinstance(asked, list) or not asked or not all(isinstance(uri, str) for uri in asked):
        raise ClientRefused("redirect_uris is not a list of URIs.", error="invalid_redirect_uri")
    if len(asked) > most:
        raise ClientRefused(f"There are more than {most} redirect URIs.", error="invalid_redirect_uri")
    usable: list[str] = []
    fault: BadInput | None = None
    for uri in asked:
        try:
            read_redirect(uri)
        except UnknownScheme as error:
            fault = error
        except BadInput as error:
            raise ClientRefused(error.message, error="invalid_redirect_uri") from error
        else:
            usable.append(uri)
    if fault is not None and (not usable or not drop_unknown_schemes):
        raise ClientRefused(fault.message, error="invalid_redirect_uri") from fault
    return tuple(dict.fromkeys(usable))


def _read_name(document: Mapping[str, Any], *, default: str) -> str:
    name = document.get("client_name")
    if not isinstance(name, str) or not name.strip():
        return default[:_LONGEST_NAME]
    return printable(name.strip(), limit=_LONGEST_NAME - 1)


def _hash(document: Mapping[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _bad_metadata(message: str) -> ClientRefused:
    return ClientRefused(message, error="invalid_client_metadata")
