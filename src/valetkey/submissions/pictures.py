"""Icons and screenshots (DIR-05, DIR-14): taken in, made anew, and given to whoever looks at a listing.

A picture belongs to its submission and is named by its hash; which of them are the listing's, its fields say. So what
stands in the directory keeps its own, whatever is handed in meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Final, Literal

from valetkey.identity.model import Person
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany
from valetkey.submissions import picture_repository
from valetkey.submissions.drafts import EDITABLE, Drafts
from valetkey.submissions.fields import MOST_SCREENSHOTS
from valetkey.submissions.ground import Ground
from valetkey.submissions.likeness import likeness
from valetkey.submissions.model import Submission
from valetkey.submissions.png import ICON, SCREENSHOT, Shape, made_anew

Kind = Literal["icon", "screenshot"]
SHAPES: Final[Mapping[Kind, Shape]] = {"icon": ICON, "screenshot": SCREENSHOT}
MOST_BYTES: Final = max(shape.most_bytes for shape in SHAPES.values())
_AT_ONCE: Final = 2  # each may take 32 MB while it is made anew, and half a second
_MOST: Final = 20
"""Pictures of one submission, those of what is listed and of what is being written together."""
_HASH: Final = re.compile(r"[0-9a-f]{64}")


def read_kind(text: str) -> Kind:
    """Raises `BadInput`."""
    found: Kind | None = next((one for one in SHAPES if one == text), None)
    if found is None:
        raise BadInput("It is an icon or a screenshot.", field="picture")
    return found


class Pictures:
    """The publisher's verb for pictures, and everybody's."""

    def __init__(self, ground: Ground, drafts: Drafts) -> None:
        self._ground = ground
        self._drafts = drafts
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def hand_in(
        self, person: Person, submission_id: str, kind: Kind, content: bytes, *, revision: int, by: str
    ) -> Submission:
        """The icon, or one more screenshot. Raises `BadInput` for what is no such picture, `Conflict`, `TooMany`."""
        one = (await self._drafts.get(person, submission_id)).submission
        if one.state not in EDITABLE:
            raise Conflict(f"One cannot edit what is {one.state.value}.")
        if kind == "screenshot" and len(one.fields.screenshots) >= MOST_SCREENSHOTS:
            raise BadInput(f"There are {MOST_SCREENSHOTS} already.", field="picture", hint="Drop one first.")
        async with self._gate:
            picture = await asyncio.to_thread(made_anew, content, SHAPES[kind])
            bits = await asyncio.to_thread(likeness, picture.png) if kind == "icon" else None
        name = hashlib.sha256(picture.png).hexdigest()
        named = {one.fields.icon, *one.fields.screenshots}
        listed = {one.live.icon, *one.live.screenshots} if one.live is not None else set()
        async with self._ground.database.write() as tx:
            await picture_repository.forget_pictures(tx, one.id, but=named | listed)
            if len(await picture_repository.pictures_of(tx, one.id)) >= _MOST:
                raise TooMany(f"A submission has at most {_MOST} pictures.", hint="Publish or drop some first.")
            await picture_repository.add_picture(tx, one.id, name, picture, bits=bits, at=self._ground.clock.now())
        shots = one.fields.screenshots
        if kind == "icon":
            changes: Mapping[str, object] = {"icon": name}
        else:
            changes = {"screenshots": shots if name in shots else (*shots, name)}
        return await self._drafts.edit(person, one.id, changes, revision=revision, by=by)

    async def get(self, name: str) -> bytes:
        """The PNG of that hash, which only who saw its listing knows. Raises `NotFound`."""
        found = None
        if _HASH.fullmatch(name):
            async with self._ground.database.read() as tx:
                found = await picture_repository.find_picture(tx, name)
        if found is None:
            raise NotFound("There is no such picture.")
        return found
