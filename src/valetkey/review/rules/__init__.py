"""The rules, a file for each clause of the policy or for a few that are looked at together.

By clause and not by rule: who reads the policy finds all that holds a connector to a sentence on one page, and rules of
one clause share their words. Each rule is a pure function of a `Crawl`, which gives what it finds.
"""

from __future__ import annotations

from typing import Final

from valetkey.review.model import Rule, UnrunRule
from valetkey.review.rules import (
    c1a_uses,
    c1b_safeguards,
    c1c_privacy,
    c1d_data,
    c1e_names,
    c1f_memory,
    c2a_descriptions,
    c2b_behavior,
    c2c_collisions,
    c2d_orders,
    c2f_outside,
    c2g_hidden,
    c3a_pages,
    c3d_publisher,
    c4_not_listed,
    c5a_results,
    c5c_tools,
    c5d_sign_in,
    c5f_transport,
    c5h_pages,
    c6_advice,
)

RULES: Final[tuple[Rule | UnrunRule, ...]] = tuple(
    sorted(
        (
            *c1a_uses.RULES,
            *c1b_safeguards.RULES,
            *c1c_privacy.RULES,
            *c1d_data.RULES,
            *c1e_names.RULES,
            *c1f_memory.RULES,
            *c2a_descriptions.RULES,
            *c2b_behavior.RULES,
            *c2c_collisions.RULES,
            *c2d_orders.RULES,
            *c2f_outside.RULES,
            *c2g_hidden.RULES,
            *c3a_pages.RULES,
            *c3d_publisher.RULES,
            *c4_not_listed.RULES,
            *c5a_results.RULES,
            *c5c_tools.RULES,
            *c5d_sign_in.RULES,
            *c5f_transport.RULES,
            *c5h_pages.RULES,
            *c6_advice.RULES,
        ),
        key=lambda rule: rule.id,
    )
)
"""All rules, by id."""
