"""Step 2 of a call: may they? Asks the gate, and turns "a person has to say yes first" into an answer of ours."""

from __future__ import annotations

from valetkey.gateway import answers
from valetkey.gateway.continuation import Continuations
from valetkey.gateway.model import Account, Meant, Said
from valetkey.gateway.recording import Record, Records
from valetkey.gateway.turns import Turn
from valetkey.policy.gate import Gate, Passed, Subject, ToConfirm
from valetkey.policy.model import Effect
from valetkey.protocol.messages import url_request


class Passing:
    """Lets calls through, or says what has to happen before."""

    def __init__(self, gate: Gate, records: Records, continuations: Continuations, *, public_url: str) -> None:
        self._gate = gate
        self._records = records
        self._continuations = continuations
        self._public_url = public_url

    async def through(self, turn: Turn, meant: Meant, record: Record) -> Passed:
        """The pass for exactly the call of this turn; `record` gets the class that it was decided by.

        Raises `ToConfirm`, `Refused`, `StateRefused`. What is of class medium or above, or was approved, is on the disk
        before its approval is used up, and that is committed before a credential leaves (I4, I8).
        """
        subject = subject_of(meant.account, self._public_url, meant=meant)
        decision = self._gate.decide_now(turn.who, subject) or await self._gate.decide(turn.who, subject)
        record.tool_class = decision.classified.counts_as if decision.classified is not None else ""
        passed = Passed(decision, decision.rule)
        if decision.effect is Effect.ALLOW and not passed.is_weighty:
            return passed
        if decision.effect is not Effect.DENY:
            await self._records.settle()
        before = ""
        if decision.effect is Effect.ASK and turn.answered.state:
            before = await self._continuations.before(turn)
        return await self._gate.let_through(turn.who, subject, decision, turn.params, turn.record_id, before=before)

    async def ask(self, turn: Turn, error: ToConfirm, *, declined: bool) -> Said:
        """Sends the person to the page of the approval: their client can do no more than show the way there."""
        url = self._public_url + error.path
        if declined or not (turn.client.opens_urls and turn.client.is_modern):
            return answers.visit(turn.client, error.message, url, declined=declined)
        state = await self._continuations.confirmation(turn, error.approval.id)
        return Said(result=url_request(error.message, url, key="approve", state=state))

    async def nobody_knows(self, turn: Turn, passed: Passed) -> None:
        """The call left, and no answer came."""
        await self._gate.nobody_knows(turn.who, passed, turn.record_id)

    async def has_read(self, turn: Turn) -> None:
        """Marks that the client is about to read what nobody vouches for."""
        await self._gate.mark_read(turn.who, turn.account.connection.id, turn.account.connector)


def subject_of(account: Account, public_url: str, *, meant: Meant | None = None) -> Subject:
    """What the gate is asked about: the tool that is meant, or the account as such."""
    return Subject(
        connection_id=account.connection.id,
        label=account.connection.label,
        connector=account.connector,
        tool=meant.tool if meant is not None else None,
        page=account.page,
        public_url=public_url,
    )
