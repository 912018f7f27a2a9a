"""The search finds a secret however it was written down: else "nowhere in clear" would mean nothing."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.demo.story.search import files_below, find, spellings

SECRET = "ma_Zk3-x_90abcdefghijklmnop"

WRITTEN = {
    "as it is": SECRET.encode(),
    "in hex": SECRET.encode().hex().encode(),
    "in JSON, escaped": "".join(f"\\u{ord(c):04x}" for c in SECRET).encode(),
    "in JSON": json.dumps({"t": SECRET}).encode(),
    "in UTF-16": SECRET.encode("utf-16"),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_a_secret_is_found(way: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/file").write_bytes(b"before " + WRITTEN[way] + b" after")

    assert find([SECRET], files_below(tmp_path))


@given(before=st.binary(max_size=9), after=st.binary(max_size=9), url_safe=st.booleans())
def test_a_secret_is_found_in_base64_whatever_stands_around_it(before: bytes, after: bytes, url_safe: bool) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode

    content = encode(before + SECRET.encode() + after)

    assert any(needle in content for needle in spellings(SECRET).values())


def test_another_secret_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(SECRET.encode())

    assert find([SECRET.replace("Zk3", "Zk4")], files_below(tmp_path)) == []
