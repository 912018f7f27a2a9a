"""Policy as a machine: whatever is added to what an organization says only narrows, in whatever order (T49, I10)."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.machines import play, several
from tests.policy.test_decide import CEILINGS, FACTS, H, M, V, W, of_class, strictness
from valetkey.policy.decide import Facts, decide
from valetkey.policy.model import STRICTER, Ceiling, Effect, Limits
from valetkey.policy.tool_class import ToolClass


class PolicyMachine(RuleBasedStateMachine):
    @initialize(what=FACTS)
    def begin(self, what: Facts) -> None:
        self.what = what

    def becomes(self, what: Facts) -> None:
        """Never less strict than before, in the effect or in how one is asked."""
        before, after = decide(self.what), decide(what)
        assert STRICTER[after.effect] >= STRICTER[before.effect]
        if after.effect is before.effect is Effect.ASK:
            assert strictness(after) >= strictness(before)
        self.what = what

    def limits(self, *ceilings: Ceiling) -> Limits:
        return replace(self.what.limits, ceilings=ceilings)

    @rule(further=CEILINGS, first=st.booleans())
    def a_ceiling_is_added(self, further: Ceiling, first: bool) -> None:
        there = self.what.limits.ceilings
        self.becomes(replace(self.what, limits=self.limits(*([further, *there] if first else [*there, further]))))

    @rule(seed=st.randoms(use_true_random=False))
    def ceilings_are_told_in_another_order(self, seed: object) -> None:
        shuffled = list(self.what.limits.ceilings)
        seed.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random, which hypothesis does not say
        before = decide(self.what)
        self.what = replace(self.what, limits=self.limits(*shuffled))
        after = decide(self.what)
        assert (after.effect, after.rule, after.how) == (before.effect, before.rule, before.how)

    @rule(raised=st.sampled_from([W, M, H, V]))
    def something_untrusted_was_read(self, raised: ToolClass) -> None:
        if self.what.tainted is None:
            before = STRICTER[decide(self.what).effect]
            self.what = replace(self.what, tainted=of_class(raised), tainted_by="Mail")
            assert STRICTER[decide(self.what).effect] >= before

    @rule()
    def the_tool_changed(self) -> None:
        if not self.what.held:
            self.what = replace(self.what, held="It changed.")
            assert decide(self.what).effect is Effect.DENY

    @rule()
    def the_connector_is_blocked(self) -> None:
        self.what = replace(self.what, connector_state="blocked")
        assert decide(self.what).effect is Effect.DENY

    @rule()
    def vertical_tools_are_switched_off_again(self) -> None:
        self.becomes(replace(self.what, limits=replace(self.what.limits, enabled=frozenset())))

    @invariant()
    def nothing_vertical_runs_by_itself(self) -> None:
        if hasattr(self, "what") and self.what.classified is not None and self.what.classified.counts_as == V:
            assert decide(self.what).effect is not Effect.ALLOW


@several
def test_what_is_added_only_narrows(runs: int) -> None:
    play(PolicyMachine, runs=runs, steps=15)
