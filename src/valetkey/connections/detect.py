"""Asking a service, before anything of it is kept, how it is spoken to and wants people to sign in (CUS-01).

Nothing that is asked carries a credential, and it goes the same guarded way as everything. What comes back is a
proposal for a form: whoever fills it in decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.connections.client_identity import ClientIdentities
from valetkey.connections.discover import Discovery, Found
from valetkey.connections.model import StepFailed
from valetkey.connections.trace import Steps
from valetkey.directory.model import AuthKind, Connector


@dataclass(frozen=True, slots=True)
class Detected:
    """How one seems to sign in there, and in sentences what that was seen by. `wants_client`: it registers nobody."""

    auth_kind: AuthKind
    said: tuple[str, ...]
    wants_client: bool = False
    client: str = ""
    """How we would be known there, as `Connector.auth` says it."""


class Unkept(Steps):
    """The steps of a question that belongs to no connection: they are written down nowhere."""

    def __init__(self) -> None:
        self.stage = ""

    async def note(self, stage: str, request: str, *, status: int | None = None, reason: str = "") -> str:
        self.stage = stage
        return ""


class Detecting:
    """Asks."""

    def __init__(self, discovery: Discovery, *, identities: ClientIdentities) -> None:
        self._discovery = discovery
        self._identities = identities

    async def ask(self, connector: Connector) -> Detected:
        """What `connector`, which is kept nowhere, turns out to be. Raises `StepFailed` when it cannot be asked."""
        steps = Unkept()
        found = await self._discovery.find(connector, steps)
        if found.server is None:
            return Detected("none", (f"It lists {len(found.tools)} tools to anyone, without a sign-in.",))
        if found.is_guess:
            said = "It asks for a credential and does not say where one signs in: most such services take a key."
            return Detected("header", (said,))
        return await self._signed_in(connector, found, steps)

    async def _signed_in(self, connector: Connector, found: Found, steps: Steps) -> Detected:
        assert found.server is not None  # `ask` saw to it
        said = [f"One signs in at {found.server.issuer}."]
        try:
            source = await self._identities.source(connector, found.server, steps)
        except StepFailed:
            said.append("It registers no client by itself: somebody has to, there, and the client ID is entered here.")
            return Detected("oauth", tuple(said), wants_client=True)
        known = {"cimd": "It takes this hub's published identity.", "dcr": "It registers this hub by itself."}
        said += [known[source]] if source in known else []
        return Detected("oauth", tuple(said), client={"cimd": "document", "dcr": "register"}.get(source, ""))
