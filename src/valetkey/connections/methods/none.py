"""Nothing: a service that answers without knowing who asks. The connection is still a person's own decision."""

from __future__ import annotations

from collections.abc import Iterable

from valetkey.connections.model import Connection
from valetkey.directory.model import Connector
from valetkey.vault.model import Binding, HeaderTemplate


def parts(
    _connection: Connection, _connector: Connector, _sealed: Iterable[str]
) -> tuple[tuple[HeaderTemplate, Binding], ...]:
    """No header lines."""
    return ()
