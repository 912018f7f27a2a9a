"""Request headers that a person gives, an API key usually: write-only, sent exactly as typed (CUS-02)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from valetkey.connections.model import Connection
from valetkey.directory.custom import CREDENTIAL_HEADERS, HEADER_LIMIT
from valetkey.directory.model import Connector
from valetkey.kernel.errors import BadInput, printable
from valetkey.kernel.secret import Secret
from valetkey.vault.model import Binding, HeaderTemplate

ORGANIZATION = "organization"
"""The method of a connection that goes with the key an owner entered for everybody (CUS-04)."""

_PURPOSE = "header:"
_LONGEST_VALUE = 8 * 1024
_PADDED = re.compile(rb"\s.*|.*\s", re.DOTALL)
_VALUE = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def check_values(connector: Connector, values: Mapping[str, Secret]) -> dict[str, Secret]:
    """The values by lower-case header name: all that the connector requires, none that it does not know.

    Raises `BadInput` naming the header, never showing a value.
    """
    required = [str(name).lower() for name in connector.auth.get("headers", ())]
    optional = [str(name).lower() for name in connector.auth.get("optional_headers", ())]
    given: dict[str, Secret] = {}
    for name, value in values.items():
        lower = name.lower()
        if lower not in required and lower not in optional:
            raise BadInput(f"{printable(name, limit=60)} is not a header of this connector.", field="headers")
        if lower not in CREDENTIAL_HEADERS or (connector.auth_kind == "oauth" and lower == "authorization"):
            # Checked when the connector was added; checked again, since this is where it would reach the wire.
            raise BadInput(f"{printable(name, limit=60)} cannot be set.", field="headers")
        if lower in given:
            raise BadInput(f"{printable(name, limit=60)} is given twice.", field="headers")
        if value:
            _check_value(name, value)
            given[lower] = value
    for name in required:
        if name not in given:
            raise BadInput(f"{name} has no value.", field=name, hint="Paste the key that the service gave you.")
    if len(given) > HEADER_LIMIT:
        raise BadInput(f"There can be at most {HEADER_LIMIT} request headers.", field="headers")
    return given


def binding(connection: Connection, connector: Connector, name: str) -> Binding:
    """What a header's value belongs to; `name` is in lower case."""
    return Binding(
        tenant=connection.organization_id,
        person=connection.person_id,
        subject=connection.id,
        purpose=f"{_PURPOSE}{name}",
        origin=connector.origin,
        connector=connector.id,
        connector_version=connection.connector_version,
    )


def shared_binding(connector: Connector, name: str) -> Binding:
    """What the value belongs to that an owner entered for everybody: the connector in this version, and no person."""
    return Binding(
        tenant=connector.organization_id,
        person="",
        subject=connector.id,
        purpose=f"{_PURPOSE}{name}",
        origin=connector.origin,
        connector=connector.id,
        connector_version=connector.version,
    )


def shared_parts(
    _connection: Connection, connector: Connector, sealed: Iterable[str]
) -> tuple[tuple[HeaderTemplate, Binding], ...]:
    """As `parts`, out of the purposes that are `sealed` for the connector."""
    names = sorted(purpose.removeprefix(_PURPOSE) for purpose in sealed if purpose.startswith(_PURPOSE))
    return tuple((HeaderTemplate(name.encode()), shared_binding(connector, name)) for name in names)


def parts(
    connection: Connection, connector: Connector, sealed: Iterable[str]
) -> tuple[tuple[HeaderTemplate, Binding], ...]:
    """The header lines of a call, out of the purposes that are `sealed` for the connection."""
    names = sorted(purpose.removeprefix(_PURPOSE) for purpose in sealed if purpose.startswith(_PURPOSE))
    return tuple((HeaderTemplate(name.encode()), binding(connection, connector, name)) for name in names)


def _check_value(name: str, value: Secret) -> None:
    if len(value) > _LONGEST_VALUE:
        raise BadInput(f"The value of {name} is longer than {_LONGEST_VALUE} bytes.", field=name)
    # Revealed to see that no byte of it could end the header line and begin another; it goes nowhere from here.
    if _PADDED.fullmatch(value.reveal()):  # CUS-13
        raise BadInput(
            f"The value of {name} begins or ends with white space.",
            field=name,
            hint="Copy it again, without the space or the line break around it.",
        )
    if not _VALUE.fullmatch(value.reveal()):
        raise BadInput(
            f"The value of {name} has a line break, an accent or another character that cannot stand in a header.",
            field=name,
            hint="Copy it again.",
        )
