"""Where a connector may send people (DIR-13): what was declared, to the letter, and nothing that looks like it."""

from __future__ import annotations

import pytest

from valetkey.directory.links import is_declared, read_target
from valetkey.kernel.errors import BadInput

HOST = "mcp.wolfbook.example"
OK = ("https://ok.com", "https://ok.com:8443", "example.wolfbook.app:")


@pytest.mark.parametrize(
    "text", ["https://ok.com", "https://a.b-c.ok.com:8443", "example.wolfbook:", "example.wolfbook.app:"]
)
def test_a_target_is_an_exact_origin_or_a_scheme_of_ones_own(text: str) -> None:
    assert read_target(text, host=HOST) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://ok.com", "https://ok.com/", "https://ok.com/path", "https://ok.com@evil.com", "https://OK.com", "https://*.ok.com",
        "https://ok.com?x", "https://ok.com#x", "https://localhost", "https://", "https://ok.com:0", "https://ok..com",
        "javascript:", "file:", "data:", "ms-msdt:", "mailto:", "vbscript:", "http:", "https:", "intent:", "tel:", "",
        "com.ok.app:", "example.wolf:", "example.wolfbooks:", "example:", "example.wolfbook.app", "example.wolfbook:x",
        "https://ok.com\n", "https://xn--.com\\",
    ],
)  # fmt: skip
def test_what_is_anybodys_or_somebody_elses_is_no_target(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_target(text, host=HOST)
    assert refused.value.field == "links"


def test_nobody_claims_a_scheme_that_a_whole_country_shares() -> None:
    assert read_target("uk.co.wolf:", host="mcp.wolf.co.uk")
    with pytest.raises(BadInput):
        read_target("uk.co:", host="mcp.wolf.co.uk")


@pytest.mark.parametrize(
    "address",
    [
        "https://ok.com", "https://ok.com/a?b#c", "HTTPS://OK.com/", "https://ok.com:443/x", "https://ok.com:8443/x",
        "example.wolfbook.app:open?note=1",
    ],
)  # fmt: skip
def test_an_address_there_is_declared(address: str) -> None:
    assert is_declared(address, OK)


@pytest.mark.parametrize(
    "address",
    [
        "https://ok.com@evil.com", "https://ok.com:pw@evil.com/", "https://ok.com.evil.com", "https://evil.com/https://ok.com",
        "https://evil.com?https://ok.com", "https://evil.com#@ok.com", "https://evil.com\\@ok.com", "https:\\\\ok.com",
        "https:/ok.com", "https:ok.com", "//ok.com", "ok.com", "http://ok.com", "https://ok.com:8444", "https://ok.com:99999",
        "https://ok.com.", "https://o\u212a.com", "https://ok.com\t.evil.com", " https://ok.com", "https://ok\u3002com",
        "https://[::1]", "javascript:alert(1)//https://ok.com", "file:///etc/passwd", "ms-msdt:/id", "data:text/html,x",
        "example.wolfbook:", "example.wolfbook.app.evil:", "", "https://", "https://@ok.com",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(address: str) -> None:
    assert not is_declared(address, OK)
