"""What a page says after a change: fixed sentences with a name, so that no address can put words on our pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    tone: str
    text: str


NOTICES = {
    "connected": Notice("good", "Connected. The credential is sealed in the vault. Now choose what may be used."),
    "tools": Notice("good", "Saved. Assistants see the change at once."),
    "headers": Notice("good", "The new values are sealed in the vault."),
    "renamed": Notice("good", "The name is changed."),
    "connector-removed": Notice("good", "The service is removed from the directory."),
    "removed": Notice("good", "The entry is removed."),
    "password": Notice("good", "Your password is set. Other browsers were signed out."),
    "passkey": Notice("good", "The passkey is ready. Use it the next time you sign in."),
    "passkey-removed": Notice("good", "The passkey is removed. Also delete it on the device that holds it."),
    "session-ended": Notice("good", "That browser is signed out."),
    "sessions-ended": Notice("good", "All other browsers are signed out."),
    "token-revoked": Notice("good", "The token is revoked and works nowhere any more."),
    "assistant-ended": Notice("good", "The assistant can no longer use Valetkey in your name."),
    "person-disabled": Notice("good", "This person can no longer sign in, and their tokens have stopped working."),
    "signed-out": Notice("good", "You are signed out."),
    "nothing-chosen": Notice("info", "Nothing was chosen, so nothing was changed."),
    "nothing-connected": Notice("info", "Nothing was connected, so there was nothing to disconnect."),
    "passkey-missing": Notice("info", "Set a passkey or a password first. Then Valetkey is yours to use."),
}
