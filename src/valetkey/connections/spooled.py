"""A token set as it lies in the vault's spool, with what it was the answer to: until it is in the database."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from datetime import datetime

from valetkey.connections.model import Connection, State
from valetkey.connections.repository import Seen
from valetkey.kernel.secret import Secret
from valetkey.oauth.model import AuthorizationServer, TokenSet
from valetkey.vault.model import Binding, Mark
from valetkey.vault.spool import Waiting

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Spooled:
    """An answer, when it came, and how connection and vault looked when it was asked for: it fits nothing else."""

    tokens: TokenSet
    received_at: datetime
    seen: Seen
    mark: Mark
    place: Waiting


def binding(connection: Connection, server: AuthorizationServer) -> Binding:
    """What an answer in the spool belongs to."""
    return Binding(
        tenant=connection.organization_id,
        person=connection.person_id,
        subject=connection.id,
        purpose="",  # the spool gives each answer its own
        origin=server.token_endpoint.origin,
        issuer=connection.issuer,
        connector=connection.connector_id,
        connector_version=connection.connector_version,
    )


def pack(answer: Spooled) -> bytearray:
    """The answer as bytes; the caller wipes them. The tokens are revealed to be sealed again at once."""
    seen, tokens = answer.seen, answer.tokens
    head = json.dumps(
        {
            "received_at": answer.received_at.isoformat(),
            "usable_for": tokens.usable_for,
            "scope": tokens.scope,
            "state": seen.state.value,
            "generation": seen.generation,
            "connected_at": seen.connected_at.isoformat() if seen.connected_at else None,
            "mark": sorted([purpose, name.hex()] for purpose, name in answer.mark.names),
        }
    ).encode()
    packed = bytearray(_LENGTH.pack(len(head)) + head)
    for token in (tokens.access_token, tokens.refresh_token):
        packed += _LENGTH.pack(len(token) if token is not None else 0)
        if token is not None:
            packed += token.reveal()
    return packed


def unpack(packed: bytearray, place: Waiting) -> Spooled:
    """What `pack` packed; it was sealed, so it is whole."""
    parts, at = [], 0
    view = memoryview(packed)
    for _ in range(3):
        (length,) = _LENGTH.unpack_from(view, at)
        parts.append(view[at + _LENGTH.size : at + _LENGTH.size + length])
        at += _LENGTH.size + length
    head = json.loads(bytes(parts[0]))
    connected_at = head["connected_at"]
    return Spooled(
        tokens=TokenSet(
            access_token=Secret(parts[1]),
            refresh_token=Secret(parts[2]) if len(parts[2]) else None,
            usable_for=head["usable_for"],
            scope=head["scope"],
        ),
        received_at=datetime.fromisoformat(head["received_at"]),
        seen=Seen(
            place.subject,
            State(head["state"]),
            head["generation"],
            datetime.fromisoformat(connected_at) if connected_at else None,
        ),
        mark=Mark(place.subject, frozenset((purpose, bytes.fromhex(name)) for purpose, name in head["mark"])),
        place=place,
    )
