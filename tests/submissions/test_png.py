"""A picture is read by what it is, and made anew; everything else is refused (DIR-05, DIR-14)."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.submissions.drawn import SIGNATURE, chunk, head, pixels, png
from valetkey.kernel.errors import BadInput
from valetkey.submissions.png import ICON, SCREENSHOT, made_anew

END = chunk(b"IEND", b"")
SCRIPT = b"<script>alert(1)</script>"


def test_nothing_of_a_file_is_kept_but_its_pixels() -> None:
    """Words, a profile, where it was taken, what stands behind its end: any of them may be a program for somebody."""
    words = chunk(b"tEXt", b"Comment\0" + SCRIPT) + chunk(b"iCCP", SCRIPT) + chunk(b"eXIf", SCRIPT)
    made = made_anew(png(more=words, behind=SCRIPT + b"PK\x03\x04"), ICON)

    assert (made.width, made.height) == (64, 64)
    assert b"script" not in made.png
    assert [kind for kind in (b"tEXt", b"iCCP", b"eXIf", b"PK") if kind in made.png] == []
    assert made_anew(made.png, ICON).png == made.png
    assert made == made_anew(png(), ICON)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b"\xff\xd8\xff\xe0", b"GIF89a",
        b"<!doctype html>", SIGNATURE[:5], SIGNATURE, b" " + png(), SIGNATURE + b"<svg/>" * 20,
    ],
)  # fmt: skip
def test_what_is_no_png_is_refused_whatever_it_is_called(content: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        made_anew(content, ICON)

    assert refused.value.field == "picture"


def broken(**heads: int) -> bytes:
    return SIGNATURE + head(64, 64, **heads) + pixels(64, 64) + END


BOMB = SIGNATURE + head(64, 64) + chunk(b"IDAT", zlib.compress(bytes(40_000_000), 9)) + END


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (png()[:-20] + b"\0" * 20, "cannot be read"), (broken(depth=3), "head"), (broken(color=1), "head"),
        (broken(interlace=1), "interlaced"), (broken(color=3), "palette"), (broken(color=6), "more or fewer"),
        (SIGNATURE + pixels(64, 64) + head(64, 64) + END, "head"), (SIGNATURE + head(64, 64) + END, "pixels"),
        (SIGNATURE + head(64, 64) + head(64, 64) + pixels(64, 64) + END, "head"), (BOMB, "more or fewer"),
        (SIGNATURE + head(64, 64) + chunk(b"IDAT", b"no zlib") + END, "unpacked"),
        (SIGNATURE + head(64, 64) + chunk(b"EVIL", b"") + pixels(64, 64) + END, "no PNG has"),
        (SIGNATURE + head(64, 64) + chunk(b"IDAT", zlib.compress((b"\x09" + bytes(192)) * 64)) + END, "filter"),
        (SIGNATURE + head(64, 64) + chunk(b"tEXt", b"") * 5000, "too many"),
        (SIGNATURE + struct.pack(">I", 2**31 - 1) + b"IHDR" + bytes(30), "breaks off"),
        (png().replace(b"IHDR", b"IHDr", 1), "sum"),
    ],
)  # fmt: skip
def test_a_png_that_is_not_what_it_says_is_refused_with_why(content: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        made_anew(content, ICON)


@pytest.mark.parametrize(("width", "height", "fits"), [(63, 63, False), (64, 64, True), (512, 512, True),
                                                       (513, 513, False), (64, 65, False)])  # fmt: skip
def test_an_icon_is_square_and_within_its_bounds(width: int, height: int, fits: bool) -> None:
    assert _fits(png(width, height), ICON) is fits


@pytest.mark.parametrize(("width", "height", "fits"), [(999, 600, False), (1000, 600, True), (4000, 1, True),
                                                       (4001, 1, False), (4000, 2001, False)])  # fmt: skip
def test_dir_14_a_screenshot_is_a_thousand_pixels_wide_or_more(width: int, height: int, fits: bool) -> None:
    assert _fits(png(width, height), SCREENSHOT) is fits


def test_a_file_that_is_too_large_is_not_even_looked_at() -> None:
    with pytest.raises(BadInput, match="256 KiB"):
        made_anew(png(behind=bytes(ICON.most_bytes)), ICON)


def test_a_picture_of_few_colors_keeps_its_palette_and_what_shines_through() -> None:
    lines = chunk(b"IDAT", zlib.compress((b"\0" + bytes(8)) * 64))
    palette, alpha = chunk(b"PLTE", bytes(6)), chunk(b"tRNS", b"\0")
    made = made_anew(SIGNATURE + head(64, 64, depth=1, color=3) + palette + alpha + lines + END, ICON)

    assert palette + alpha in made.png


@settings(max_examples=80, deadline=None)
@given(some.integers(0, len(png()) - 1), some.binary(min_size=1, max_size=8))
def test_what_is_broken_anywhere_is_a_picture_still_or_refused(place: int, other: bytes) -> None:
    whole = png()
    try:
        made = made_anew(whole[:place] + other + whole[place + len(other) :], ICON)
    except BadInput:
        return
    assert made.png == made_anew(whole, ICON).png


def _fits(content: bytes, shape: object) -> bool:
    try:
        made_anew(content, shape)  # type: ignore[arg-type]  # one of the two
    except BadInput:
        return False
    return True
