"""Errors as pages: what happened, what to do, and for the unexpected a reference that the log knows."""

from __future__ import annotations

from valetkey.kernel import errors as kernel

_STATUS: tuple[tuple[type[kernel.ValetkeyError], int, str], ...] = (
    (kernel.NotFound, 404, "Not here"),
    (kernel.NotSignedIn, 401, "Please sign in"),
    (kernel.Forbidden, 403, "Not allowed"),
    (kernel.Refused, 403, "Not allowed"),
    (kernel.Conflict, 409, "Something changed in between"),
    (kernel.TooMany, 429, "Too many at once"),
    (kernel.BadInput, 422, "That cannot be used"),
    (kernel.NotConnected, 409, "Not connected"),
    (kernel.ConnectFailed, 502, "Could not connect"),
    (kernel.OutboundFailed, 502, "The service did not answer as it should"),
    (kernel.VaultFailed, 500, "The vault could not open this"),
)

CONNECT_TITLES = {
    "unreachable": "The service could not be reached",
    "authorization_failed": "The service did not let us in",
    "registration_failed": "The service does not know Valetkey",
}


def status_and_title(error: kernel.ValetkeyError) -> tuple[int, str]:
    """The HTTP status and the heading for an error."""
    if isinstance(error, kernel.ConnectFailed):
        return 502, CONNECT_TITLES.get(error.kind, "Could not connect")
    for kind, status, title in _STATUS:
        if isinstance(error, kind):
            return status, title
    return 500, "That did not work"
