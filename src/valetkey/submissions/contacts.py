"""The contact for vulnerabilities is somebody who answers: asked when it is said, and every half year (DIR-16).

A code goes to it by mail, and the publisher gives it back. Where the hub has no mail, or the contact is a page, the
publisher's word is what there is: they say it anew. Who does not is listed without *verified* first, and then no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from hmac import compare_digest
from typing import Final

from valetkey.identity.model import Person
from valetkey.kernel.errors import BadInput, Conflict, TooMany
from valetkey.kernel.ids import new_id, random_suffix
from valetkey.net.smtp import is_mail_address
from valetkey.submissions import look_repository, repository
from valetkey.submissions.drafts import Drafts
from valetkey.submissions.ground import Ground
from valetkey.submissions.model import Act, Entry, State, Submission

OVERDUE: Final = "Its security contact was not confirmed"
"""How the reason of what the hub took out for it begins."""
_CODE: Final = 24
_MOST_LETTERS: Final = 50
_BETWEEN_LETTERS: Final = timedelta(minutes=10)


SendsMail = Callable[[str, str, str, str], Awaitable[None]]
"""By the operator's mail server: to whom, its subject, its text, and what makes it the same letter twice."""


class Contacts:
    """The publisher's verbs for it."""

    def __init__(self, ground: Ground, drafts: Drafts, send: SendsMail | None) -> None:
        self._ground = ground
        self._drafts = drafts
        self._send = send

    def can_be_mailed(self, one: Submission) -> bool:
        """Whether a code can be sent, and so has to be given back."""
        return self._send is not None and one.fields.security_contact.startswith("mailto:")

    async def send_code(self, person: Person, submission_id: str, *, by: str) -> Submission:
        """A new code to the contact; the one before is void. Raises `Conflict`, `OutboundFailed`."""
        one = (await self._drafts.get(person, submission_id)).submission
        if self._send is None or not self.can_be_mailed(one):
            raise Conflict("No code can be sent there.", hint="Confirm it without one.")
        code, to = random_suffix(_CODE), one.fields.security_contact.removeprefix("mailto:")
        if not is_mail_address(to):
            raise BadInput("The security contact is no mail address.", field="security_contact")
        now = self._ground.clock.now()
        async with self._ground.database.write() as tx:
            sent = await look_repository.last_entry(tx, one.id, _MAILED)
            if sent is not None and now - sent.at < _BETWEEN_LETTERS:
                raise TooMany("A code was sent there a moment ago.", retry_after=_BETWEEN_LETTERS.total_seconds())
            if await look_repository.count_entries(tx, one.id, [_MAILED]) >= _MOST_LETTERS:
                raise TooMany(f"{_MOST_LETTERS} letters are as many as one submission sends.")
            written = await repository.write(tx, replace(one, contact_code=_hash(one, code)))
            await look_repository.add_entry(tx, Entry(one.id, now, by, _MAILED, one.state, ""))
        # Only what is ours: words of the publisher in a letter of the hub would let it write to anybody.
        await self._send(to, "Security contact of a connector", _LETTER.format(slug=one.slug, code=code), new_id("ltr"))
        await self._ground.tell("submission.contact_asked", one, by=by)
        return written

    async def confirm(self, person: Person, submission_id: str, code: str, *, by: str) -> Submission:
        """The contact was reached. Raises `BadInput`, `Conflict`."""
        one = (await self._drafts.get(person, submission_id)).submission
        if not one.fields.security_contact:
            raise Conflict("There is no security contact yet.", hint="Say it first.")
        if self.can_be_mailed(one) and not (one.contact_code and compare_digest(one.contact_code, _hash(one, code))):
            raise BadInput("This is not the code that was sent last.", field="code", hint="Have a new one sent.")
        confirmed = replace(one, contact_at=self._ground.clock.now(), contact_code="")
        async with self._ground.database.write() as tx:
            written = await repository.write(tx, confirmed)
        await self._ground.tell("submission.contact_confirmed", written, by=by, by_mail=str(bool(one.contact_code)))
        if written.state is State.DELISTED and written.decided_by == "system" and written.reason.startswith(OVERDUE):
            return await self._ground.move(replace(written, reason=""), Act.RELIST, by="system")
        await self._ground.announce()
        return written


def _hash(one: Submission, code: str) -> str:
    """Of the code and of where it went: another contact needs another."""
    return hashlib.sha256(f"{one.id}\0{one.fields.security_contact}\0{code.strip().lower()}".encode()).hexdigest()


_MAILED: Final = "mailed"
_LETTER: Final = """\
You are named as the security contact of the connector "{slug}" in a directory of connectors.

If you are, give this code to whoever publishes it; they enter it where they asked for this letter:

    {code}

If you are not, do nothing: without the code you are not named.
"""
