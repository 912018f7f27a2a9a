"""By which rule a credential leaves as a ticket (security.md 2.5): checked by the vault, not taken on the asker's word.

What the asker says is held against what was written down before: the record of the call, durable in the journal, names
the person, the organization, the connection and the tool. So there is no ticket without a record, none for another
person's connection, and none for a call that nobody said yes to, whatever a door forgot to check.
"""

from __future__ import annotations

from typing import Protocol

from valetkey.kernel.errors import Refused
from valetkey.vault.model import Binding

_CALLS = "tools/call"
_TEST_ACCOUNT = "test_account"
_HEADER = "header:"
FEED = "feed:"
"""How the subject of what is sealed for a feed begins."""


class NotReleased(Refused):
    """The rule says no; nothing left, and nothing is wrong with what is sealed."""

    code = "not_released"


class Intent(Protocol):
    """What the log says about a call that was begun."""

    @property
    def person_id(self) -> str: ...
    @property
    def organization_id(self) -> str: ...
    @property
    def connection_id(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def own_tool(self) -> str: ...


class FindsIntents(Protocol):
    """The log of calls."""

    def intent_of(self, call_id: str) -> Intent | None:
        """The intent of a call that was begun and that somebody still works on; it is durable."""
        ...


class Grants(Protocol):
    """What people said yes to: a connection, a tool of it, or one call. `tool` is `None` for what calls none.

    With `key_of`, a connector and its version, the connection must besides be one that goes with the key which an owner
    entered for this connector (CUS-04).
    """

    def holds_now(
        self, person_id: str, connection_id: str, tool: str | None, *, key_of: tuple[str, int] | None = None
    ) -> bool:
        """Whether a lasting yes is at hand; false may mean no more than "ask `holds`"."""
        ...

    async def holds(
        self,
        person_id: str,
        connection_id: str,
        tool: str | None,
        call_id: str,
        *,
        key_of: tuple[str, int] | None = None,
    ) -> bool:
        """Whether there is one, or one that was used up for the call with this record."""
        ...


class Release(Protocol):
    """The rule, once without waiting and once with."""

    def holds_now(self, call_id: str, binding: Binding) -> bool:
        """Whether the value may leave for this call; false may mean no more than "ask `demand`"."""
        ...

    async def demand(self, call_id: str, binding: Binding) -> None:
        """Raises `NotReleased`, in words that tell nothing of other people's things."""
        ...


class NothingLeaves:
    """The rule of a vault that was given none."""

    def holds_now(self, call_id: str, binding: Binding) -> bool:
        return False

    async def demand(self, call_id: str, binding: Binding) -> None:
        raise NotReleased("This vault has no rule by which anything may leave.", rule="no_rule")


class NothingWhileSealed:
    """The rule since somebody sealed the vault. Only a start lifts it."""

    def holds_now(self, call_id: str, binding: Binding) -> bool:
        return False

    async def demand(self, call_id: str, binding: Binding) -> None:
        raise sealed()


def sealed() -> NotReleased:
    """What a sealed vault says."""
    return NotReleased("The vault is sealed: no credential leaves until the hub is started anew.", rule="sealed")


class ForRecordedCalls:
    """The rule of a hub: what a recorded call of the connection's own person needs, and no other.

    The organization's own key leaves for a recorded call of one of its members, over their own connection to it.
    """

    def __init__(self, intents: FindsIntents, grants: Grants) -> None:
        self._intents = intents
        self._grants = grants

    def holds_now(self, call_id: str, binding: Binding) -> bool:
        intent = self._intents.intent_of(call_id)
        if intent is None or not _is_theirs(intent, binding):
            return False
        return self._grants.holds_now(intent.person_id, intent.connection_id, _tool(intent), key_of=_key_of(binding))

    async def demand(self, call_id: str, binding: Binding) -> None:
        intent = self._intents.intent_of(call_id)
        if intent is None:
            raise NotReleased("No credential leaves without a record of the call.", rule="no_record")
        if not _is_theirs(intent, binding):
            raise NotReleased("The record is of another call than the credential is asked for.", rule="other_record")
        tool, key_of = _tool(intent), _key_of(binding)
        if not await self._grants.holds(intent.person_id, intent.connection_id, tool, call_id, key_of=key_of):
            raise NotReleased("Nobody said yes to this call.", rule="no_yes")


def _tool(intent: Intent) -> str | None:
    return intent.own_tool if intent.method == _CALLS else None


class FindsReviews(Protocol):
    """The review runs of submissions."""

    async def is_under_way(self, run_id: str, submission_id: str) -> bool:
        """Whether this run has begun, has not ended, and is of this submission."""
        ...


class AlsoForReviews:
    """A test account leaves for a review that is under way, and for nothing else (DIR-08); the rest by another rule."""

    def __init__(self, reviews: FindsReviews, otherwise: Release) -> None:
        self._reviews = reviews
        self._otherwise = otherwise

    def holds_now(self, call_id: str, binding: Binding) -> bool:
        return binding.purpose != _TEST_ACCOUNT and self._otherwise.holds_now(call_id, binding)

    async def demand(self, call_id: str, binding: Binding) -> None:
        if binding.purpose != _TEST_ACCOUNT:
            await self._otherwise.demand(call_id, binding)
        elif not await self._reviews.is_under_way(call_id, binding.subject):
            raise NotReleased("A test account is used by a review that is under way only.", rule="no_review")


class FindsFeeds(Protocol):
    """Where organizations' events are sent."""

    async def is_there(self, feed_id: str, organization_id: str, header: str) -> bool:
        """Whether the organization has this feed, and sends this header along."""
        ...


class AlsoForFeeds:
    """A collector's header leaves for the feed it was entered for (ORG-14); the rest goes by another rule."""

    def __init__(self, feeds: FindsFeeds, otherwise: Release) -> None:
        self._feeds = feeds
        self._otherwise = otherwise

    def holds_now(self, call_id: str, binding: Binding) -> bool:
        return not is_of_feed(binding) and self._otherwise.holds_now(call_id, binding)

    async def demand(self, call_id: str, binding: Binding) -> None:
        if not is_of_feed(binding):
            await self._otherwise.demand(call_id, binding)
            return
        feed_id, header = binding.subject.removeprefix(FEED), binding.purpose.removeprefix(_HEADER)
        if call_id != binding.subject or not await self._feeds.is_there(feed_id, binding.tenant, header):
            raise NotReleased("A feed's header is for that feed.", rule="no_feed")


def is_of_feed(binding: Binding) -> bool:
    """Whether the value is a feed's. No connection, submission or connector is called so."""
    return binding.subject.startswith(FEED)


def _is_theirs(intent: Intent, binding: Binding) -> bool:
    if intent.organization_id != binding.tenant:
        return False
    if _key_of(binding) is not None:
        return bool(intent.connection_id and intent.person_id)  # whether it goes with this key is for `Grants` to say
    return intent.connection_id == binding.subject and intent.person_id == binding.person


def _key_of(binding: Binding) -> tuple[str, int] | None:
    """The connector whose key it is, for one that an owner entered for everybody; `None` for a person's own value."""
    is_shared = not binding.person and binding.subject == binding.connector and binding.purpose.startswith(_HEADER)
    return (binding.connector, binding.connector_version) if is_shared else None
