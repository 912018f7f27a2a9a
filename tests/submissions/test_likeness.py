"""Whether two icons look alike (L-108): what is made larger, recolored or saved anew does, another drawing does not."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import date

import pytest

from tests.submissions.conftest import World
from tests.submissions.drawn import SIGNATURE, chunk, head, png
from valetkey.directory.listings import Listing, Source
from valetkey.review.rules.c1e_names import look_alike
from valetkey.store.database import Database
from valetkey.store.schema import submission_picture
from valetkey.submissions.likeness import likeness
from valetkey.submissions.model import Submission
from valetkey.submissions.picture_repository import likenesses_of
from valetkey.submissions.reviews import report_of

Drawing = Callable[[float, float], bool]
Color = tuple[int, int, int]


def ring(x: float, y: float) -> bool:
    return 0.15 < (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.3


def cross(x: float, y: float) -> bool:
    return abs(x - 0.5) < 0.12 or abs(y - 0.5) < 0.12


def stairs(x: float, y: float) -> bool:
    return int(x * 4) > int(y * 4)


def drawn(
    drawing: Drawing, size: int = 64, ink: Color = (20, 40, 120), paper: Color = (240, 240, 250), kind: int = 0
) -> bytes:
    """A picture of it; `kind` is the filter of its lines (ISO/IEC 15948, 9.2)."""
    before, lines = bytes(3 * size), b""
    for y in range(size):
        points = [ink if drawing((x + 0.5) / size, (y + 0.5) / size) else paper for x in range(size)]
        line = bytes(value for point in points for value in point)
        lines += bytes([kind]) + bytes((value - _guess(kind, line, before, at)) & 255 for at, value in enumerate(line))
        before = line
    return SIGNATURE + head(size, size) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def _guess(kind: int, line: bytes, above: bytes, at: int) -> int:
    left, up, corner = line[at - 3] if at >= 3 else 0, above[at], above[at - 3] if at >= 3 else 0
    near = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
    return (0, left, up, (left + up) // 2, near)[kind]


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_a_picture_looks_the_same_whatever_filter_it_was_saved_with(kind: int) -> None:
    assert likeness(drawn(ring, kind=kind)) == likeness(drawn(ring)) != 0


@pytest.mark.parametrize("drawing", [ring, cross, stairs])
def test_what_was_made_larger_recolored_or_inked_thinner_looks_alike(drawing: Drawing) -> None:
    own = likeness(drawn(drawing))

    assert look_alike(own, likeness(drawn(drawing, 200)))
    assert look_alike(own, likeness(drawn(drawing, ink=(120, 20, 40), paper=(255, 250, 220))))
    assert look_alike(own, likeness(drawn(lambda x, y: drawing(x + 0.01, y - 0.01), 96)))


@pytest.mark.parametrize("depth", [8, 16])
def test_the_largest_icons_there_can_be_look_as_their_small_ones(depth: int) -> None:
    """512 pixels, with a sample for what is clear: each line as the one above, in the filters that take longest."""
    lines = b""
    for y in range(64):
        points = [b"\x14\x28\x78\xff" if ring((x + 0.5) / 64, (y + 0.5) / 64) else b"\xff\xff\xff\0" for x in range(64)]
        line = b"".join(point * 8 for point in points)
        line = bytes(byte for sample in line for byte in [sample] * (depth // 8))
        lines += b"\0" + line + (b"\2" + bytes(len(line))) * 7
    largest = (
        SIGNATURE + head(512, 512, depth=depth, color=6) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )

    assert look_alike(likeness(largest), likeness(drawn(ring, paper=(255, 255, 255))))


@pytest.mark.parametrize(("one", "other"), [(ring, cross), (ring, stairs), (cross, stairs)])
def test_another_drawing_does_not(one: Drawing, other: Drawing) -> None:
    assert not look_alike(likeness(drawn(one)), likeness(drawn(other)))


def test_of_plain_pictures_nobody_can_say() -> None:
    assert likeness(png()) == likeness(png(shade=9)) == 0
    assert not look_alike(likeness(png()), likeness(png()))


def test_palettes_grays_and_what_is_clear_are_read_as_people_see_them() -> None:
    """A half of white, and one of black: as two of a palette, as gray of one bit, and as ink that is clear or not."""
    palette = chunk(b"PLTE", b"\0\0\0\xff\xff\xff")
    halves = zlib.compress(b"\0\0\0\0\0\xff\xff\xff\xff" * 64)
    clear = zlib.compress((b"\0" + b"\0\xff" * 32 + b"\0\0" * 32) * 64)
    pictures = [
        SIGNATURE + head(64, 64, depth=1, color=3) + palette + chunk(b"IDAT", halves) + chunk(b"IEND", b""),
        SIGNATURE + head(64, 64, depth=1, color=0) + chunk(b"IDAT", halves) + chunk(b"IEND", b""),
        SIGNATURE + head(64, 64, color=4) + chunk(b"IDAT", clear) + chunk(b"IEND", b""),
    ]

    assert len({likeness(one) for one in pictures}) == 1
    assert likeness(pictures[0]) != 0


async def test_how_an_icon_looks_is_told_when_it_is_handed_in_and_once_of_those_older_than_that(
    world: World, sqlite_database: Database
) -> None:
    one, _ = await world.ready()
    told = [await likeness_of(sqlite_database, one)]
    one = await world.room.pictures.hand_in(
        world.ada, one.id, "icon", drawn(ring), revision=one.revision, by="person:ada"
    )
    told.append(await likeness_of(sqlite_database, one))
    async with sqlite_database.write() as tx:
        await tx.execute(submission_picture.update().values(likeness=None))
    told.append(await likeness_of(sqlite_database, one))
    await world.review(one)
    told.append(await likeness_of(sqlite_database, one))

    assert told == [0, likeness(drawn(ring)), None, likeness(drawn(ring))]


async def likeness_of(database: Database, one: Submission) -> int | None:
    async with database.read() as tx:
        return (await likenesses_of(tx, [one.fields.icon]))[one.fields.icon]


async def test_an_icon_that_looks_like_another_listings_is_held_for_a_reviewer(world: World) -> None:
    drafts, pictures = world.room.drafts, world.room.pictures
    theirs = await drafts.begin(world.ada, "wolfbook", {}, by="person:ada")
    theirs = await pictures.hand_in(
        world.ada, theirs.id, "icon", drawn(ring), revision=theirs.revision, by="person:ada"
    )
    listing = Listing(
        slug="wolfbook", name="Wolfbook", publisher="Wolfbook Ltd", about="Wolves.", url="https://wolfbook.example/mcp",
        categories=("documents",), icon=theirs.fields.icon,
        source=Source(url="https://wolfbook.example/docs", date=date(2026, 11, 1)),
    )  # fmt: skip
    world.connectors.listings.publish([listing])
    one, _ = await world.ready()
    said = {}
    for drawing in (ring, stairs):
        icon = drawn(drawing, 128, ink=(90, 10, 10))
        one = await pictures.hand_in(world.ada, one.id, "icon", icon, revision=one.revision, by="person:ada")
        await world.review(one)
        run = (await drafts.get(world.ada, one.id)).run
        assert run is not None
        report = report_of(run)
        assert report is not None
        (names,) = [outcome for outcome in report.outcomes if outcome.rule == "L-108"]
        said[drawing] = [finding.says for finding in names.findings]

    assert said == {ring: ["It looks like that of Wolfbook."], stairs: []}
