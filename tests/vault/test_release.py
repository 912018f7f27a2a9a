"""The vault's own rule: no ticket without a durable record, for nobody else's connection, for no tool that is off.

S-15 (d), S-22.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vault.conftest import ORIGIN, House, binding, secret, written
from valetkey.audit.calls import CallLog
from valetkey.audit.model import CallIntent, Outcome
from valetkey.store.notify import EVERYTHING
from valetkey.vault.broker import SEALED, Vault
from valetkey.vault.model import BEARER, Binding, TicketSpent, Use
from valetkey.vault.release import AlsoForReviews, ForRecordedCalls, NotReleased

TOKEN = binding()


class Switches:
    """What is switched on: at hand, or to be looked up first."""

    def __init__(self) -> None:
        self.on: dict[str, dict[str, str]] = {"con_1": {"search": "as seen"}}
        self.is_warm = True

    def holds_now(
        self, person_id: str, connection_id: str, tool: str | None, *, key_of: tuple[str, int] | None = None
    ) -> bool:
        return self.is_warm and self._is_on(connection_id, tool, key_of)

    async def holds(
        self,
        person_id: str,
        connection_id: str,
        tool: str | None,
        call_id: str,
        *,
        key_of: tuple[str, int] | None = None,
    ) -> bool:
        return self._is_on(connection_id, tool, key_of)

    def _is_on(self, connection_id: str, tool: str | None, key_of: tuple[str, int] | None) -> bool:
        goes_with = {"con_2": ("shared", 1)}.get(connection_id)
        return goes_with == key_of and (tool is None or tool in self.on.get(connection_id, {}))


def intent(house: House, call_id: str = "call_1", **others: str) -> CallIntent:
    said = {
        "organization_id": "org_1",
        "person_id": "per_ada",
        "connection_id": "con_1",
        "method": "tools/call",
        "tool": "docs_search",
        "own_tool": "search",
    } | others
    return CallIntent(
        id=call_id, started_at=house.clock.now(), client="", connector="c", label="", day="2026-11-22",
        request_bytes=0, request=None, **said,
    )  # fmt: skip


@pytest.fixture
async def log(small_house: House, tmp_path: Path) -> AsyncIterator[CallLog]:
    opened = CallLog(small_house.main, tmp_path / "journal", small_house.clock)
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture
def switches() -> Switches:
    return Switches()


@pytest.fixture
async def vault(small_house: House, log: CallLog, switches: Switches) -> Vault:
    vault = small_house.vault()
    await vault.seal(secret("the-token"), bound_to=TOKEN)
    vault.release_by(ForRecordedCalls(log, switches))
    return vault


async def ask(vault: Vault, call_id: str = "call_1", bound_to: Binding = TOKEN) -> bytes:
    return written(await vault.ticket([(BEARER, bound_to)], origin=ORIGIN, call_id=call_id))


async def test_a_vault_without_a_rule_gives_nothing(small_house: House) -> None:
    bare = Vault(small_house.main, small_house.keyring, small_house.root, small_house.clock, small_house.notifications)
    await bare.seal(secret("v"), bound_to=TOKEN)

    with pytest.raises(NotReleased):
        await ask(bare)
    assert bare.ticket_now([(BEARER, TOKEN)], origin=ORIGIN, call_id="call_1") is None


async def test_a_recorded_call_of_the_persons_own_gets_its_ticket_cold_and_warm(
    small_house: House, vault: Vault, log: CallLog
) -> None:
    with log.begin(intent(small_house)) as call:
        assert await ask(vault) == b"authorization: Bearer the-token\r\n"
        assert vault.ticket_now([(BEARER, TOKEN)], origin=ORIGIN, call_id="call_1") is not None
        call.finish(Outcome.OK)


@pytest.mark.parametrize(
    ("others", "rule"),
    [
        ({"person_id": "per_bob"}, "other_record"),
        ({"organization_id": "org_2"}, "other_record"),
        ({"connection_id": "con_2"}, "other_record"),
        ({"connection_id": ""}, "other_record"),
        ({"own_tool": "delete"}, "no_yes"),
        ({"own_tool": ""}, "no_yes"),
    ],
)
@pytest.mark.parametrize("is_warm", [True, False])
async def test_a_record_of_something_else_releases_nothing(
    small_house: House,
    vault: Vault,
    log: CallLog,
    switches: Switches,
    others: dict[str, str],
    rule: str,
    is_warm: bool,
) -> None:
    first = log.begin(intent(small_house, "call_0"))
    await ask(vault, "call_0")  # the value is warm
    switches.is_warm = is_warm
    call = log.begin(intent(small_house, **others))

    assert vault.ticket_now([(BEARER, TOKEN)], origin=ORIGIN, call_id="call_1") is None
    with pytest.raises(NotReleased) as refused:
        await ask(vault)
    assert refused.value.rule == rule
    for one in (first, call):
        one.finish(Outcome.OK)


async def test_no_ticket_without_a_record_and_none_after_everybody_let_go_of_it(
    small_house: House, vault: Vault, log: CallLog
) -> None:
    with pytest.raises(NotReleased, match="without a record"):
        await ask(vault)
    call = log.begin(intent(small_house))
    await ask(vault)

    call.finish(Outcome.OK)
    await log.flush()
    del call

    assert vault.ticket_now([(BEARER, TOKEN)], origin=ORIGIN, call_id="call_1") is None
    with pytest.raises(NotReleased, match="without a record"):
        await ask(vault)


async def test_a_tool_that_is_switched_off_gets_no_further_ticket(
    small_house: House, vault: Vault, log: CallLog, switches: Switches
) -> None:
    call = log.begin(intent(small_house))
    await ask(vault)

    switches.on.clear()

    with pytest.raises(NotReleased, match="Nobody said yes"):
        await ask(vault)
    call.finish(Outcome.OK)


async def test_a_list_of_tools_needs_a_record_of_the_person_and_no_tool(
    small_house: House, vault: Vault, log: CallLog
) -> None:
    call = log.begin(intent(small_house, method="tools/list", own_tool=""))

    assert await ask(vault)
    call.finish(Outcome.OK)


names = st.sampled_from(["a", "b", ""])


@settings(max_examples=300, deadline=None)
@given(person=names, tenant=names, subject=names, tool=names, method=st.sampled_from(["tools/call", "tools/list"]))
def test_whatever_is_asked_warm_only_what_fits_the_record_is_released(
    person: str, tenant: str, subject: str, tool: str, method: str
) -> None:
    """T08 for the rule alone: one record, every mix of names."""

    class Said:
        person_id, organization_id, connection_id = "a", "a", "a"

        def __init__(self) -> None:
            self.method, self.own_tool = method, tool

    class One:
        def intent_of(self, call_id: str) -> Said | None:
            return Said() if call_id == "call_1" else None

    switches = Switches()
    switches.on = {"a": {"a": "as seen"}}
    rule = ForRecordedCalls(One(), switches)
    asked = Binding(tenant=tenant, person=person, subject=subject, purpose="access_token", origin=ORIGIN)

    fits = (person, tenant, subject) == ("a", "a", "a") and (method != "tools/call" or tool == "a")
    assert rule.holds_now("call_1", asked) is fits
    assert not rule.holds_now("call_2", asked)


@pytest.mark.parametrize(
    ("others", "changed", "leaves"),
    [
        ({"connection_id": "con_2"}, {}, True),
        ({"connection_id": "con_2", "organization_id": "org_2"}, {}, False),
        ({"connection_id": "con_1"}, {}, False),  # the connection goes with a key of the person's own
        ({"connection_id": "con_2", "own_tool": "delete"}, {}, False),
        ({"connection_id": "con_2"}, {"connector_version": 2}, False),
        ({"connection_id": "con_2"}, {"subject": "con_9"}, False),
        ({"connection_id": "con_2"}, {"person": "per_eve"}, False),
        ({"connection_id": "con_2"}, {"purpose": "client_secret"}, False),
        ({"connection_id": "con_2"}, {"purpose": "access_token"}, False),
    ],
)
async def test_an_organizations_key_leaves_for_a_recorded_call_of_a_member_over_a_connection_that_goes_with_it(
    small_house: House, others: dict[str, str], changed: dict[str, Any], leaves: bool
) -> None:
    """CUS-04."""

    class One:
        def intent_of(self, call_id: str) -> CallIntent:
            return intent(small_house, call_id, **others)

    switches = Switches()
    switches.on["con_2"] = {"search": "as seen"}
    key = Binding(
        tenant="org_1", person="", subject="shared", purpose="header:x-api-key", origin=ORIGIN, connector="shared",
        connector_version=1,
    )  # fmt: skip
    asked, rule = replace(key, **changed), ForRecordedCalls(One(), switches)

    assert rule.holds_now("call_1", asked) is leaves
    if leaves:
        await rule.demand("call_1", asked)
    else:
        with pytest.raises(NotReleased):
            await rule.demand("call_1", asked)


async def test_a_test_account_leaves_for_its_own_review_while_that_is_under_way_and_no_call_gets_it() -> None:
    class Reviews:
        async def is_under_way(self, run_id: str, submission_id: str) -> bool:
            return (run_id, submission_id) == ("run_1", "sub_1")

    class CallsOnly:
        def holds_now(self, call_id: str, binding: Binding) -> bool:
            return call_id == "call_1"

        async def demand(self, call_id: str, binding: Binding) -> None:
            if call_id != "call_1":
                raise NotReleased("No.", rule="no_record")

    rule = AlsoForReviews(Reviews(), CallsOnly())
    account, token = binding("sub_1", purpose="test_account"), binding()

    await rule.demand("run_1", account)
    await rule.demand("call_1", token)
    for call_id, bound_to, why in (
        ("run_2", account, "no_review"), ("call_1", account, "no_review"),
        ("run_1", binding("sub_2", purpose="test_account"), "no_review"), ("run_1", token, "no_record"),
    ):  # fmt: skip
        with pytest.raises(NotReleased) as caught:
            await rule.demand(call_id, bound_to)
        assert caught.value.rule == why
    assert [rule.holds_now("call_1", one) for one in (token, account)] == [True, False]
    assert not rule.holds_now("run_1", account)


# --- sealed -----------------------------------------------------------------------------------------------------------


async def test_a_sealed_vault_gives_nothing_and_what_is_out_writes_nothing(
    small_house: House, vault: Vault, log: CallLog, switches: Switches
) -> None:
    call = log.begin(intent(small_house))
    out = await vault.ticket([(BEARER, TOKEN)], origin=ORIGIN, call_id="call_1")
    refresh, verifier = binding(purpose="refresh_token"), binding("att_1", purpose="pkce_verifier")
    await vault.seal_many([(secret("r"), refresh), (secret("v"), verifier)])

    await vault.seal_shut()
    vault.release_by(ForRecordedCalls(log, switches))  # nothing unseals but a start

    with pytest.raises(TicketSpent):
        written(out)
    with pytest.raises(NotReleased, match="sealed"):
        await ask(vault)
    assert vault.ticket_now([(BEARER, TOKEN)], origin=ORIGIN, call_id="call_1") is None
    for value, use in ((refresh, Use.REFRESH), (verifier, Use.EXCHANGE_CODE)):
        with pytest.raises(NotReleased, match="sealed"):
            await vault.reveal_for_exchange(bound_to=value, use=use)
    assert await vault.reveal_for_exchange(bound_to=refresh, use=Use.REVOKE) == secret("r")  # ending access goes on
    assert await vault.shred("con_1") == 2
    call.finish(Outcome.OK)


async def test_a_database_that_came_back_does_not_seal_the_vault(
    small_house: House, vault: Vault, log: CallLog
) -> None:
    """After a lost connection every listener hears that everything may have changed."""
    call = log.begin(intent(small_house))

    await small_house.notifications.publish(SEALED, EVERYTHING)
    vault._shut(EVERYTHING)

    assert await ask(vault)
    call.finish(Outcome.OK)
