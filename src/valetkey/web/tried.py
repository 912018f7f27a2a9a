"""Doing what a form asked for, and what is said on its page when that was refused."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping

from valetkey.kernel.errors import BadInput, Conflict, Forbidden, OutboundFailed, TooMany


async def tried(act: Awaitable[object], *, fields: Collection[str] = ()) -> Mapping[str, str]:
    """What went wrong, for a page's `errors`: beside the field if it is one of `fields`, else above the form.

    Empty when it was done. What is not for the person to mend is raised on.
    """
    try:
        await act
    except BadInput as error:
        if error.field in fields:
            return {error.field: f"{error.message} {error.hint}".strip()}
        return {"": error.message, "hint": error.hint}
    except (Conflict, Forbidden, OutboundFailed, TooMany) as error:
        return {"": error.message, "hint": error.hint}
    return {}
