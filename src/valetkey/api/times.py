"""Times as requests give them: written out (RFC 3339, 5.6), as the description says. A number is none.

Pydantic would take numbers, and texts of numbers, for seconds or milliseconds since 1970: which of the two it guesses.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*", re.DOTALL)


def _written_day(given: object) -> object:
    if isinstance(given, str) and not _DAY.fullmatch(given):
        raise ValueError("is no day such as 2026-11-29")
    return _no_number(given)


def _written_moment(given: object) -> object:
    if isinstance(given, str) and not _MOMENT.fullmatch(given):
        raise ValueError("is no time such as 2026-11-29T08:00:00Z")
    return _no_number(given)


def _no_number(given: object) -> object:
    if isinstance(given, (int, float)):
        raise ValueError("is a number, and has to be written out")
    return given


Day = Annotated[date, BeforeValidator(_written_day)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_moment)]
"""With its zone."""
