"""What looks like a secret does not reach the log, and JSON that went in comes out as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from valetkey.audit.redact import redact, redact_text, redacted

R = "0123456789abcdefABCDEF"  # stands for the random part
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
PEM = f"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIKd0{R}\nAAAAaaaa0000+/==\n-----END EC PRIVATE KEY-----"
TOKENS = [
    f"vka_{R}{R}",
    f"vkr_{R}{R}",
    f"vkt_{R}-_{R}",
    f"ghp_{R}abcdefghijklmn",
    f"gho_{R}abcdefghijklmn",
    f"github_pat_{R}_{R}",
    f"glpat-{R}",
    f"xoxb-123456789012-123456789012-{R}",
    f"xapp-1-A0-{R}",
    f"sk-proj-{R}{R}",
    f"sk-ant-api03-{R}",
    f"sk_live_{R}",
    f"rk_test_{R}",
    "AKIAIOSFODNN7EXAMPLE",
    f"AIzaSy{R}{R}",
    f"ya29.{R}-{R}",
    f"npm_{R}abcdefghijklmn",
    f"pypi-AgEI{R}{R}",
    f"ntn_{R}abcdefghijklmn",
    f"lin_api_{R}abcdefghijklmn",
    JWT,
    PEM,
    f"Bearer {R}",
    f"bearer {R}",
    f"Basic {R}==",
]
NAMES = [
    "access_token",
    "accessToken",
    "refresh_token",
    "id_token",
    "client_secret",
    "api_key",
    "apiKey",
    "X-Api-Key",
    "password",
    "Authorization",
    "Cookie",
    "Set-Cookie",
    "private_key",
    "secret",
    "SecretAccessKey",
]
KEPT = [
    "issue 4711 is open",
    "3f2b8c1e-7d4a-4b1f-9c2e-1a2b3c4d5e6f",
    "9fceb02d0ae598e95dc970b74767f19372d61af8",
    "a_rather_long_name_of_a_function_in_snake_case",
    "the token was wrong, ask a bearer of news",
    "https://api.example.com/v1/things?page=2&page_token=17",
    "sk-ill, ask-me, task-123456789012345678901",
    "password",
    "secretary",
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_recognizable_secret_is_taken_out_wherever_it_stands(token: str) -> None:
    secret_part = "AAAAaaaa0000" if token is PEM else token.split(" ")[-1]
    document = {
        "text": f"use {token} for this",
        "list": [token, {"deep": token}],
        token: 1,
        "inner": json.dumps({"value": token}),
        "url": f"https://x.example/?q={token}&r=1",
    }

    redacted = redact(json.dumps(document).encode())

    assert secret_part.encode() not in redacted
    assert json.loads(redacted)["text"].startswith("use ")
    assert secret_part not in redact_text(f"log line: {token}\nnext")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["hunter2", 'with "quotes" \\ and ü', "two words; a=b"])
def test_a_value_is_taken_out_by_its_name(name: str, value: str) -> None:
    document: dict[str, Any] = {name: value, "kept": "yes", "nested": {name: value}}
    within = {"content": [{"type": "text", "text": json.dumps(document)}]}

    for given_document in (document, within):
        redacted = redact(json.dumps(given_document).encode())

        assert b"hunter2" not in redacted
        assert b"quotes" not in redacted
        assert b"two words" not in redacted
        read = json.loads(redacted)
        inner = json.loads(read["content"][0]["text"]) if "content" in read else read
        assert (inner["kept"], inner[name]) == ("yes", "[redacted]")


PAIRS: list[Any] = [
    {"name": "Authorization", "value": "two words"},
    {"value": "two words", "name": "client_secret"},
    {"key": "api_key", "type": "text", "enabled": True, "value": 'with "quotes" \\ and ü'},
    {"val": "two words", "type": "hidden", "field": "password"},
    [["x-api-key", "two words"], ["accept", "kept"]],
    {"headers": [["accept", "kept"], ["Cookie", "two words"]]},
]
"""A secret whose name stands in another field (DATA-09)."""


@pytest.mark.parametrize("pair", PAIRS, ids=json.dumps)
@pytest.mark.parametrize("spaced", [True, False])
def test_a_value_is_taken_out_by_a_name_in_another_field(pair: Any, spaced: bool) -> None:
    text = json.dumps(pair, separators=None if spaced else (",", ":"))
    within = json.dumps({"content": [{"type": "text", "text": text}]})

    deep = json.loads(redact(within.encode()))["content"][0]["text"].encode()
    for found in (redact(text.encode()), deep):
        assert b"two words" not in found
        assert b"quotes" not in found
        assert json.loads(found) != pair
        assert shape(json.loads(found)) == shape(pair)
        assert (b"kept" in text.encode()) == (b"kept" in found)


@pytest.mark.parametrize("pair", [
    {"name": "password", "type": "string"}, {"required": ["password", "user"]}, ["password", "user"],
    {"name": "note", "value": "of the password"}, {"value": "kept", "name": "title", "cookie_count": 3},
], ids=json.dumps)  # fmt: skip
def test_a_field_beside_a_name_that_holds_no_secret_stays(pair: Any) -> None:
    assert redact(json.dumps(pair).encode()) == json.dumps(pair).encode()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET /x?access_token=abc&page=2", "GET /x?access_token=[redacted]&page=2"),
        ("client_id=1&client_secret=abc", "client_id=1&client_secret=[redacted]"),
        ("Cookie: sid=abc; other=def", "Cookie: [redacted]"),
        ("Authorization: token abc", "Authorization: [redacted]"),
    ],
)
def test_queries_forms_and_headers_are_known(line: str, expected: str) -> None:
    assert redact_text(line) == expected
    assert json.loads(redact(json.dumps({"line": line}).encode())) == {"line": expected}


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays(text: str) -> None:
    document = json.dumps({"text": text, "list": [text], "key": text, "nextPageToken": text}).encode()

    assert redact(document) == document


scalars = (
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30) | st.sampled_from(TOKENS + NAMES)
)
keys = st.text(max_size=10) | st.sampled_from([*NAMES, *TOKENS, "name", "key", "value"])
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4) | inner.map(json.dumps),
    max_leaves=12,
)


def shape(value: Any) -> Any:
    """A document without its texts; a card's number that stands as a number is another number afterwards."""
    if isinstance(value, dict):
        return [shape(inner) for inner in value.values()]
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    if type(value) is int and (digits := b"%d" % abs(value)) != redact(digits):
        return 0
    return "text" if isinstance(value, str) else value


@example([4111111111111111, -4111111111111111, {"a": -4193964555147}], False, False)
@example(-4111111111111111, False, True)
@example(4111111111111111, False, False)
@given(json_values, st.booleans(), st.booleans())
def test_json_stays_json_of_the_same_shape(value: Any, ascii_only: bool, spaced: bool) -> None:
    separators = None if spaced else (",", ":")
    document = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode(errors="replace")

    redacted = json.loads(redact(document), object_pairs_hook=lambda pairs: [shape(inner) for _, inner in pairs])

    assert shape(redacted) == shape(json.loads(document, object_pairs_hook=lambda pairs: [inner for _, inner in pairs]))


def test_redacting_twice_changes_nothing_more() -> None:
    once = redact(json.dumps({"a": TOKENS, **dict.fromkeys(NAMES, "hunter2")}).encode())

    assert redact(once) == once


@pytest.mark.parametrize(
    "payload",
    [
        b'"' * 200_000,
        b'\\"' * 100_000,
        b"-----BEGIN PRIVATE KEY-----" * 8_000,
        b"eyJ" + b"a" * 200_000,
        b"bearer " * 30_000,
        b'"secret":"' + b"\\" * 200_001,
        b"vkt_" * 50_000,
        b'"secret" ' + b" " * 200_000,
        b'"value":"' * 25_000,
        b'"value":"' + b"\\a" * 100_000,
        b'"name":"secret","a":1' * 10_000,
        b'"name":"secret",' + b'"a":1,' * 30_000,
        b'[["secret","' * 18_000,
    ],
    ids=[
        "quotes",
        "escaped quotes",
        "begins",
        "half a jwt",
        "bearers",
        "backslashes",
        "prefixes",
        "spaces",
        "values",
        "a long value",
        "names",
        "much between",
        "pairs",
    ],
)
@pytest.mark.timeout(10)
def test_no_payload_makes_the_patterns_slow(payload: bytes) -> None:
    redact(payload + b"secret_token bearer aaaaaaaaaaaaaaaaaaaaaaaaaaaa")


LINES = ["GET /x?access_token=abcdefgh&page=2", "Cookie: sid=abcdefgh; other=def", f"password=Bearer {R}"]
AT_ONCE = 16 * 1024  # bytes of one piece


@pytest.mark.parametrize("secret", [*TOKENS, *NAMES, *LINES])
def test_a_large_payload_is_redacted_as_a_small_one_wherever_its_pieces_meet(secret: str) -> None:
    pairs = [{"name": secret, "value": "x y"}, {"value": "x y", "name": secret}]
    document = json.dumps(
        [{"text": f"a {secret} b", "deep": json.dumps({secret: 'say \\ "ü" '})}, {secret: "x y\\"}, *pairs]
    )
    written = document.encode()

    for before in range(AT_ONCE - len(written) - 2, AT_ONCE + 2, 17):
        filler = b'["' + b"." * before + b'",'
        payload = filler + written + b"," + b"0," * 2500 + b"0]"

        assert redact(payload).startswith(filler + redact(written) + b",0,")


@pytest.mark.parametrize(
    "value", ["s" * 100_000, '\\"' * 40_000, "\\" * 50_001, "-----BEGIN PRIVATE KEY-----" + "A\n" * 50_000]
)
def test_a_secret_larger_than_a_piece_goes_to_its_end(value: str) -> None:
    for shift in range(9):
        payload = json.dumps({"filler": "." * shift, "password": value, "kept": "yes"}).encode()

        assert json.loads(redact(payload)) == {"filler": "." * shift, "password": "[redacted]", "kept": "yes"}


def test_others_can_have_their_turn_between_pieces() -> None:
    payload = json.dumps({"text": f"{JWT} password=abc " * 10_000}).encode()

    pieces = list(redacted(payload))

    assert len(pieces) >= len(payload) // AT_ONCE
    assert b"".join(pieces) == redact(payload)
    assert max(map(len, pieces)) <= AT_ONCE + 4096


CARDS = [
    "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "5555555555554444", "378282246310005",
    "3782 822463 10005", "6011111111111117", "30569309025904", "3530111333300000", "2223003122003222",
]  # fmt: skip
NO_CARDS = [
    "4111111111111112", "1234567890123456", "41111111111111111111", "0.4111111111111111", "id4111111111111111",
    "4111 1111 1111", "1764297600000", "20261128023300", "4111 1111-1111 1111",
]  # fmt: skip


@pytest.mark.parametrize("number", CARDS)
def test_the_number_of_a_payment_card_is_taken_out(number: str) -> None:
    """DATA-09: by issuer, length and check digit, in one piece or in groups, and after a line break within JSON."""
    document = {"text": f"card {number}, thanks", "lines": f"Card:\n{number}\nEnd", "list": [number]}

    found = redact(json.dumps(document).encode())

    assert number not in found.decode()
    assert json.loads(found) == {
        "text": "card [redacted], thanks", "lines": "Card:\n[redacted]\nEnd", "list": ["[redacted]"],
    }  # fmt: skip


@pytest.mark.parametrize("number", [one for one in CARDS if one.isdigit()])
def test_one_that_stands_as_a_number_in_json_stays_a_number(number: str) -> None:
    found = redact(b'{"card":%b,"more":[1, %b]}' % (number.encode(), number.encode()))

    assert json.loads(found) == {"card": 0, "more": [1, 0]}


@pytest.mark.parametrize("number", NO_CARDS)
def test_a_number_that_is_no_cards_is_kept(number: str) -> None:
    assert redact(json.dumps({"text": f"see {number}."}).encode()) == json.dumps({"text": f"see {number}."}).encode()
