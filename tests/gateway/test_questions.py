"""What of a service's questions reaches a person: nothing in our name, no form for a secret, no odd address."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.directory.test_listings import listing
from tests.directory.test_lookalikes import custom
from valetkey.gateway.model import Client
from valetkey.gateway.questions import QuestionRefused, Questions
from valetkey.net.url import parse_url
from valetkey.protocol.asks import EVERYTHING, Question

MODERN = Client("2026-07-28", is_modern=True, opens_urls=True, asks=EVERYTHING)
LEGACY = Client("2025-11-25", is_modern=False, opens_urls=True, asks=EVERYTHING)
OLDER = Client("2025-06-18", is_modern=False, opens_urls=False, asks=EVERYTHING)
NOTES = custom("Notes", "https://notes.example/mcp")
NAMED = msgspec.structs.replace(listing("named"), links=("https://pay.example.org",))
QUESTIONS = Questions(
    hosts=["hub.example.com", "localhost:8137"],
    parse_url=functools.partial(parse_url),
    listing_of=lambda one: NAMED if one.listing else None,
)


def shown(params: dict[str, Any], *, client: Client = MODERN) -> dict[str, Any]:
    question = Question("elicitation/create", json.dumps(params).encode())
    asked: dict[str, Any] = json.loads(QUESTIONS.for_client(question, connector=NOTES, client=client).params)
    return asked


def form(properties: Any, message: str = "Please.") -> dict[str, Any]:
    return {"message": message, "requestedSchema": {"type": "object", "properties": properties}}


def page(url: str, message: str = "Go.") -> dict[str, Any]:
    return {"mode": "url", "message": message, "url": url}


@pytest.mark.parametrize(
    "field",
    [
        *("password", "userPassword", "PASSWD", "pass_phrase", "api_key", "apiKey", "API-KEY", "clientSecret"),
        *("access_token", "accessToken", "token", "credit_card_number", "cardNumber", "cvv", "CVC2", "pin", "pinCode"),
        *("ssn", "otp", "totp", "oneTimeCode", "recovery-code", "privateKey", "seedPhrase", "credentials", "jwt"),
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",
    ],
)
def test_a_form_for_a_secret_is_not_shown(field: str) -> None:
    hidden: list[Any] = [
        {field: {"type": "string"}},
        {"value": {"type": "string", "title": field}},
        {"value": {"type": "string", "description": f"Your {field} please"}} if field != "token" else {field: {}},
    ]

    for properties in hidden[: 2 if field in ("pin", "token") else 3]:
        with pytest.raises(QuestionRefused) as caught:
            shown(form(properties))
        assert caught.value.rule == "asks_for_a_secret"


@pytest.mark.parametrize(
    "field",
    ["name", "email", "username", "max_tokens", "passenger", "compass", "keyboard", "shipping", "opinion", "zip"],
)
def test_an_ordinary_form_is_shown(field: str) -> None:
    assert shown(form({field: {"type": "string", "description": f"The {field} to use"}}))["message"].startswith("Notes")


@pytest.mark.parametrize(
    "text",
    [
        "Approve at https://hub.example.com/approvals/1",
        "HUB.EXAMPLE.COM says yes",
        "hub%2Eexample%2Ecom",
        "ｈｕｂ．example．com",
        "hub.exa\u200bmple.com",
        "see http://localhost:8137/",
    ],
)
def test_nobody_asks_in_the_name_of_this_hub(text: str) -> None:
    for params in (
        form({}, text),
        form({"x": {"title": text}}),
        form({text: {}}),
        page("https://a.example.org/", text),
    ):
        with pytest.raises(QuestionRefused) as caught:
            shown(params)
        assert caught.value.rule == "ours"


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://hub.example.com/approvals/1", "ours"),
        ("https://a.example.org/?next=https%3A%2F%2Fhub.example.com%2F", "ours"),
        ("http://a.example.org/", "bad_url"),
        ("javascript:alert(1)", "bad_url"),
        ("data:text/html,x", "bad_url"),
        ("file:///etc/passwd", "bad_url"),
        ("https://user:pass@a.example.org/", "bad_url"),
        ("https://a.example.org/?access_token=abc", "bad_url"),
        ("https://2130706433/", "bad_url"),
        ("https://router.internal/", "bad_url"),
        ("https://a.example.org/\u202egpj", "bad_url"),
        ("", "bad_url"),
    ],
)
def test_a_page_that_nobody_should_open_is_not_shown(url: str, rule: str) -> None:
    with pytest.raises(QuestionRefused) as caught:
        shown(page(url))

    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("url", "is_named"),
    [
        ("https://pay.example.org/1?x=y", True), ("https://pay.example.org.evil.example/", False),
        ("https://evil.example/?https://pay.example.org", False), ("https://pay.example.org:8443/", False),
    ],
)  # fmt: skip
def test_dir_13_an_address_that_its_publisher_did_not_name_is_shown_with_that(url: str, is_named: bool) -> None:
    """The whole address is shown in any case: what is named may lead on to anywhere (CUS-15: always)."""
    listed, custom = (
        json.loads(QUESTIONS.for_client(question, connector=one, client=MODERN).params)["message"]
        for one in (replace(NOTES, listing="named"), NOTES)
        for question in [Question("elicitation/create", json.dumps(page(url)).encode())]
    )

    assert url in listed
    assert url in custom
    assert ("none of the places that its publisher named" in listed) is not is_named
    assert "publisher" not in custom


@pytest.mark.parametrize("params", [b"", b"[]", b'{"message":7}', b'{"message":"m","mode":7', b'{"message":null}'])
def test_what_is_no_question_is_refused(params: bytes) -> None:
    with pytest.raises(QuestionRefused):
        QUESTIONS.for_client(Question("elicitation/create", params), connector=NOTES, client=MODERN)


def test_each_revision_gets_the_members_it_knows() -> None:
    with_id = page("https://a.example.org/") | {"elicitationId": "theirs"}

    assert "elicitationId" not in shown(with_id)
    assert shown(with_id, client=LEGACY)["elicitationId"].startswith("elicit_")
    assert shown(form({}) | {"mode": "form"}, client=LEGACY)["mode"] == "form"
    assert "mode" not in shown(form({}) | {"mode": "form"}, client=OLDER)


@given(st.dictionaries(st.text(st.characters(categories=["Lu"]), min_size=1, max_size=3), st.integers()))
def test_what_is_asked_of_a_model_passes_as_the_bytes_it_was(extra: dict[str, int]) -> None:
    raw = b' {"messages":[], "v/x": 1.50, "more":%b}' % json.dumps(extra).encode()
    question = Question("sampling/createMessage", raw)

    assert QUESTIONS.for_client(question, connector=NOTES, client=MODERN) is question
