"""The privacy page. Nobody has set a policy here yet, so it shows the template and says so (S-04)."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.visit import Visit

_VERSION = "2026-11"
_PARTS = (
    (
        "What is kept",
        (
            "Your login and name, what you sign in with (a password only as a hash, a passkey only as a public key), "
            "and which services you connected.",
            "The credentials of connected services, each sealed under a key of its own, in a vault that no person can "
            "read – not you, not an admin, not whoever runs this hub.",
            "A record of every call made in your name: when, by which assistant, which tool, and how it ended. What "
            "was sent and answered is sealed under a key of yours for that day.",
        ),
    ),
    (
        "What it is used for",
        (
            "To carry out what you, or an assistant you let in, asked for; and to show you what was done. For nothing "
            "else: no advertising, no profiles, no training.",
        ),
    ),
    (
        "Who receives it",
        (
            "A service you connected receives the calls made to it, with your own credential there, and nothing about "
            "you beyond that. An assistant you let in receives the answers. Each has its own privacy policy.",
        ),
    ),
    (
        "When it is gone",
        (
            "When you disconnect a service, the key of its credential is destroyed at once, then the credential "
            "itself. Copies in backups cannot be opened without that key; your receipt says by when its last backup is "
            "gone.",
            "What a call sent and got can be opened for 30 days, and its record is kept for 365, unless whoever runs "
            "this hub has set other times. Then its key is destroyed, and nothing brings it back.",
        ),
    ),
)


async def show(visit: Visit) -> Response:
    return visit.page("privacy_show.html", parts=_PARTS, version=_VERSION)
