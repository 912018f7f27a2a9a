"""One request that may be asked back, what its state is bound to, and the ways in which going on with it fails."""

from __future__ import annotations

import hashlib
import json

import msgspec

from valetkey.gateway.model import Account, Client, Notify
from valetkey.gateway.parking import Leg
from valetkey.gateway.tickets import CallTickets
from valetkey.identity.model import Principal
from valetkey.kernel.errors import Refused, printable
from valetkey.protocol.asks import Answered
from valetkey.protocol.jsonrpc import members
from valetkey.upstream.model import Carried


class StateRefused(Refused):
    """The `requestState` was not made for this call of this client, or was used already."""

    code = "state_refused"


class QuestionExpired(Refused):
    """The question was ours to pass on, and it is too late, or another process has the call."""

    code = "question_expired"


class Undeclared(Refused):
    """The service needs something that the client did not declare. `capabilities` is what, as a raw object."""

    code = "capability_missing"

    def __init__(self, service: str, capabilities: bytes) -> None:
        names = ", ".join(sorted(members(capabilities))) or "a capability it does not name"
        super().__init__(
            f"{service} needs something this assistant does not offer: {printable(names)}.", rule="capability_missing"
        )
        self.capabilities = capabilities


class Waiting(Carried, frozen=True, gc=False):
    """An `input_required` of ours, instead of what the call came to."""


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One request that may be asked back, or brings answers. `params` are those that make it this request, raw."""

    who: Principal
    client: Client
    account: Account
    method: str
    params: bytes
    answered: Answered
    progress_token: bytes
    tickets: CallTickets
    notify: Notify

    @property
    def record_id(self) -> str:
        return self.tickets.record.id

    @property
    def leg(self) -> Leg:
        return Leg(self.tickets, self.notify, self.progress_token)


def binding(turn: Turn) -> tuple[str, ...]:
    """What a state is for. The arguments count by their value: a client may write them down anew."""
    try:
        params = json.dumps(json.loads(turn.params), sort_keys=True).encode()
    except (ValueError, RecursionError):  # an integer of thousands of digits: then by their bytes
        params = turn.params
    client = turn.who.client_id or turn.who.credential_id
    digest = hashlib.sha256(params).hexdigest()
    return ("request-state", client, turn.account.connection.id, turn.method, digest)
