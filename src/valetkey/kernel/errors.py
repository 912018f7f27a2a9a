"""The error family, drawn as a tree: raise where you know, translate at the door.

    ValetkeyError
    ├── BadInput            what came from outside cannot be used; names the culprit
    ├── NotSignedIn         nobody is asking (401 at a door)
    ├── Forbidden           somebody is asking who may not (403)
    ├── NotFound            no such thing, or not yours: the same answer (404)
    ├── Conflict            the thing is already there, or has moved on (409)
    ├── TooMany             a limit on how often or how many (429)
    ├── Refused             policy said no to a call; carries the rule
    ├── NotConnected        the person has no usable connection; carries where to connect
    ├── NotRecorded         what cannot be recorded does not happen
    ├── OutboundFailed      something out there failed us (subtree in `valetkey.net`)
    ├── ConnectFailed       connecting a service failed; carries stage and party
    ├── VaultFailed         a sealed thing could not be opened (subtree in `valetkey.vault`)
    ├── RootKeyUnavailable  the root key's provider does not answer: nothing is wrong with what is sealed
    └── StartRefused        the hub will not start like this; exit code 78

`message` and `hint` are shown to people: they never hold a secret, nor text from outside that was not bounded and
made printable first (`printable`).
"""

from __future__ import annotations

from typing import ClassVar


class ValetkeyError(Exception):
    """The root. `message` says what went wrong in one sentence; `hint` says what to do about it."""

    code: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadInput(ValetkeyError):
    """Something given from outside cannot be used. `field` names the culprit as the sender knows it."""

    code = "bad_input"

    def __init__(self, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class NotSignedIn(ValetkeyError):
    """No one, or no longer anyone, is asking."""

    code = "not_signed_in"


class Forbidden(ValetkeyError):
    """The asker is known and may not."""

    code = "forbidden"


class NotFound(ValetkeyError):
    """No such thing for this asker. Another person's thing is *not found* too, in the same words."""

    code = "not_found"


class Conflict(ValetkeyError):
    """The request does not fit what is there now."""

    code = "conflict"


class TooMany(ValetkeyError):
    """Too often or too many. `retry_after` is in seconds."""

    code = "too_many"

    def __init__(self, message: str, *, retry_after: float = 60.0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Refused(ValetkeyError):
    """Policy refused a call. `rule` is the stable name of the rule that decided."""

    code = "refused"

    def __init__(self, message: str, *, rule: str, hint: str = "", path: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rule = rule
        self.path = path
        """Where in the pages the person can change it, as a path of this hub."""


class NotConnected(ValetkeyError):
    """There is no live connection to make the call with. `path` is the page where the person connects."""

    code = "not_connected"

    def __init__(self, message: str, *, path: str, reason: str = "not_connected", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.reason = reason


class NotRecorded(ValetkeyError):
    """The record could not be written, so the act did not happen."""

    code = "not_recorded"


class OutboundFailed(ValetkeyError):
    """A request that we sent, or meant to send, failed. Subclasses live in `valetkey.net`."""

    code = "outbound_failed"


class ConnectFailed(ValetkeyError):
    """Connecting a service failed.

    `kind` is one of the three failures a person can tell apart (CON-32): `unreachable`, `authorization_failed`,
    `registration_failed`. `stage` names the step, `party` the host that failed.
    """

    code = "connect_failed"

    def __init__(self, message: str, *, kind: str, stage: str, party: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.stage = stage
        self.party = party


class VaultFailed(ValetkeyError):
    """A sealed thing could not be opened. Subclasses live in `valetkey.vault`."""

    code = "vault_failed"


class RootKeyUnavailable(ValetkeyError):
    """The provider of the root key did not answer, or said no. Nothing was changed; the same again works later."""

    code = "root_key_unavailable"


class StartRefused(ValetkeyError):
    """The hub refuses to start; `cli` turns this into exit code 78 (sysexits EX_CONFIG)."""

    code = "start_refused"


def printable(text: object, *, limit: int = 200) -> str:
    """Text from outside made fit for a log line or a sentence: bounded, without control or invisible characters."""
    cleaned = "".join(char if char.isprintable() else "�" for char in str(text)[: limit + 1])
    return cleaned if len(cleaned) <= limit else cleaned[:limit] + "…"
