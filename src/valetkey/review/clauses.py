"""The clauses of the directory policy in force, by name. `docs/policy.md` is the policy; a test holds this to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VERSION: Final = "2"
IN_FORCE_FROM: Final = "29 November 2026"

CLAUSES: Final[Mapping[str, str]] = {
    "1.A": "Lawful and allowed uses",
    "1.B": "No way around safeguards",
    "1.C": "Privacy",
    "1.D": "Only the data it needs",
    "1.E": "Other people's names and works",
    "1.F": "Hands off memory and files",
    "2.A": "Narrow, plain descriptions",
    "2.B": "Does what it says",
    "2.C": "Not to be confused with others",
    "2.D": "No orders to other software",
    "2.E": "No word against other tools",
    "2.F": "Nothing to obey from outside",
    "2.G": "Nothing hidden",
    "3.A": "Privacy policy",
    "3.B": "Support",
    "3.C": "Documentation",
    "3.D": "A test account",
    "3.E": "Example prompts",
    "3.F": "Own endpoints",
    "3.G": "Kept in order",
    "3.H": "Terms accepted",
    "4.A": "No moving of money",
    "4.B": "No generated media",
    "4.C": "No advertising",
    "5.A": "Errors that help",
    "5.B": "Frugal",
    "5.C": "Tool names",
    "5.D": "Safe sign-in",
    "5.E": "Hints",
    "5.F": "Streamable HTTP",
    "5.G": "Local programs",
    "5.H": "Interactive pages",
    "6.A": "Instructions begin with what matters",
    "6.B": "Structured results",
    "6.C": "Few detours",
    "6.D": "Reachable from everywhere",
    "6.E": "Limits are told",
    "6.F": "Security contact",
    "6.G": "A name of its own",
    "6.H": "Sign-ins that last",
    "6.I": "Few scopes",
}
