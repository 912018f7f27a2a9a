"""What a page says after a change: fixed sentences with a name, so that no address can put words on our pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    tone: str
    text: str


HAPPENED = {
    "person.created": "The account was created",
    "person.disabled": "The account was disabled",
    "person.enabled": "The account was enabled again",
    "person.role_set": "The role was changed",
    "person.leaving": "Leaving the organization was begun",
    "organization.left": "The organization was left",
    "credential.echoed": "A service said a credential back; it was masked",
    "signin_link.issued": "A one-time sign-in link was made",
    "signin.link": "Signed in with a one-time link",
    "signin.recovery": "Signed in with a recovery link",
    "password.set": "A password was set",
    "password.removed": "The password was removed",
    "passkey.added": "A passkey was added",
    "passkey.removed": "A passkey was removed",
    "passkey.counter_regressed": "A passkey was refused: it seems to have been copied",
    "token.created": "A personal token was created",
    "token.revoked": "A personal token was revoked",
    "consent.given": "An assistant was let in",
    "grant.ended": "An assistant was put out",
    "profile.added": "A profile was made",
    "profile.changed": "A profile was changed",
    "profile.removed": "A profile was removed",
    "connector.added": "A service was added to the directory",
    "connector.client_set": "A service got another client ID; everybody connects it anew",
    "connector.enabled": "A service was switched on for the organization",
    "connector.blocked": "A service was switched off for the organization",
    "connector.removed": "A service was taken out of the directory",
    "connector.add_refused": "A service was not added: only owners and admins may",
    "ceiling.set": "What is permitted at most was set",
    "ceiling.removed": "A ceiling was removed",
    "vertical.enabled": "An owner answers for a connector that acts in money, law, health or insurance",
    "vertical.disabled": "No owner answers for that connector any more",
    "permissions.set": "What may be done without a question was changed",
    "alert.raised": "Something unusual was noticed at a service",
    "alert.dismissed": "An alert was dismissed",
    "approval.given": "A call was approved",
    "approval.denied": "A call was denied",
    "standing.given": "Later calls like an approved one were allowed",
    "standing.used": "A standing approval was used",
    "standing.ended": "A standing approval ended",
    "approval.too_many": "An assistant asked for too many approvals",
    "connection.connected": "A service was connected",
    "connection.disconnected": "A service was disconnected",
    "connection.refresh": "Its access was renewed",
    "connection.reconnect_needed": "A service needs to be reconnected",
    "connection.granted_more": "A service gave more than was asked for, which was not kept",
    "connection.callback_refused": "An answer of a service came to the wrong browser and was refused",
}
"""Trail events as their person reads them; one that is not here is shown by its own name."""

NOTICES = {
    "connected": Notice("good", "Connected. The credential is sealed in the vault. Now choose what may be used."),
    "tools": Notice("good", "Saved. Assistants see the change at once."),
    "ceilings": Notice("good", "Saved. It holds for everyone at once."),
    "headers": Notice("good", "The new values are sealed in the vault."),
    "renamed": Notice("good", "The name is changed."),
    "connector-removed": Notice("good", "The service is removed from the directory."),
    "client": Notice("good", "Saved. Everybody who was connected connects anew; the secret is asked for on the way."),
    "listed": Notice("info", "This address is that of a listed service. Here it is; nothing was added by URL."),
    "approved": Notice("good", "Approved. The assistant can repeat its call now, and only this one."),
    "standing": Notice("good", "Approved, and later calls like it. They are listed under Standing approvals."),
    "standing-revoked": Notice("good", "Revoked. From now on the assistant has to ask you."),
    "alert-dismissed": Notice("good", "Dismissed. It is told again if it comes back after a day without."),
    "denied": Notice("good", "Denied. The assistant is told so."),
    "removed": Notice("good", "The entry is removed."),
    "profile": Notice("good", "Saved. Assistants see the change at once."),
    "profile-removed": Notice("good", "The profile is removed. Assistants that used it find nothing there."),
    "password": Notice("good", "Your password is set. Other browsers were signed out."),
    "passkey": Notice("good", "The passkey is ready. Use it the next time you sign in."),
    "passkey-removed": Notice("good", "The passkey is removed. Also delete it on the device that holds it."),
    "session-ended": Notice("good", "That browser is signed out."),
    "sessions-ended": Notice("good", "All other browsers are signed out."),
    "token-revoked": Notice("good", "The token is revoked and works nowhere any more."),
    "assistant-ended": Notice("good", "The assistant can no longer use Valetkey in your name."),
    "left": Notice("good", "You have left. What you had there is ended; your account is your own now."),
    "person-disabled": Notice("good", "This person can no longer sign in, and their tokens have stopped working."),
    "signed-out": Notice("good", "You are signed out."),
    "nothing-chosen": Notice("info", "Nothing was chosen, so nothing was changed."),
    "nothing-connected": Notice("info", "Nothing was connected, so there was nothing to disconnect."),
    "passkey-missing": Notice("info", "Set a passkey or a password first. Then Valetkey is yours to use."),
}
