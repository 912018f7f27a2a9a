"""The sample authorization server is a real one: it keeps the promises a hub relies on, and refuses the attacks."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from tests.demo.conftest import CALLBACK, Visitor, answer_in, register
from valetkey.demo.neighborhood import Sample

Arrive = Callable[[], Visitor]


def test_its_metadata_says_what_it_does(sample: Sample) -> None:
    metadata = httpx2.get(f"{sample.issuer}/.well-known/oauth-authorization-server", trust_env=False).json()

    assert metadata["issuer"] == sample.issuer
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True


def test_a_person_signs_in_and_allows_and_the_client_gets_tokens(arrive: Arrive, sample: Sample) -> None:
    visitor = arrive()

    page = visitor.sign_in()
    answer = answer_in(visitor.browser.press("Allow"))
    tokens = visitor.exchange(answer["code"]).json()

    assert page.has("Allow Tests to use your notebook?")
    assert (answer["state"], answer["iss"]) == ("s1", sample.issuer)
    assert tokens["scope"] == "notes:read notes:write"
    assert visitor.call(tokens["access_token"]).status_code == 400  # past the door: an empty message is what is wrong


def test_a_person_may_grant_less_than_was_asked(arrive: Arrive) -> None:
    visitor = arrive()

    visitor.sign_in()
    answer = answer_in(visitor.browser.press("Allow", {"scope": ["notes:read"]}))

    assert visitor.exchange(answer["code"]).json()["scope"] == "notes:read"


def test_a_person_may_refuse(arrive: Arrive, sample: Sample) -> None:
    visitor = arrive()

    visitor.sign_in()
    answer = answer_in(visitor.browser.press("Refuse"))

    assert answer == {"error": "access_denied", "state": "s1", "iss": sample.issuer}


def test_a_wrong_password_signs_nobody_in(arrive: Arrive) -> None:
    visitor = arrive()

    page = visitor.sign_in("ada", "hopper")

    assert page.status == 401
    assert page.has("do not belong together")


def test_a_code_used_twice_ends_the_grant(arrive: Arrive) -> None:
    visitor = arrive()
    code = visitor.code()
    access = visitor.exchange(code).json()["access_token"]

    again = visitor.exchange(code)

    assert again.json()["error"] == "invalid_grant"
    assert visitor.call(access).status_code == 401


def test_a_refresh_token_used_twice_ends_the_grant(arrive: Arrive) -> None:
    visitor = arrive()
    first = visitor.exchange(visitor.code()).json()
    second = visitor.refresh(first["refresh_token"]).json()

    again = visitor.refresh(first["refresh_token"])

    assert again.json()["error"] == "invalid_grant"
    assert visitor.call(second["access_token"]).status_code == 401
    assert visitor.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"


def test_revoking_the_refresh_token_ends_the_access_token_at_once_and_is_seen(arrive: Arrive, sample: Sample) -> None:
    visitor = arrive()
    tokens = visitor.exchange(visitor.code()).json()

    answer = visitor.revoke(tokens["refresh_token"])

    assert answer.status_code == 200
    assert visitor.call(tokens["access_token"]).status_code == 401
    assert sample.seen_by_authorization_server()["revocations"][-1]["kind"] == "refresh"


def test_another_client_cannot_use_a_code_or_a_refresh_token(arrive: Arrive) -> None:
    victim, thief = arrive(), arrive()
    code = victim.code()
    thief.verifier = victim.verifier

    stolen = thief.exchange(code)
    refresh_token = victim.exchange(code).json()["refresh_token"]

    assert stolen.json()["error"] == "invalid_grant"
    assert thief.refresh(refresh_token).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:9/other"}, "invalid_grant"),
        ({"resource": "http://127.0.0.1:2/mcp"}, "invalid_target"),
        ({"code": "mc_guessed"}, "invalid_grant"),
    ],
)
def test_an_exchange_that_does_not_fit_the_request_is_refused(
    arrive: Arrive, changed: dict[str, str], error: str
) -> None:
    visitor = arrive()

    answer = visitor.exchange(**{"code": visitor.code(), **changed})

    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"resource": "http://127.0.0.1:2/mcp"}, "invalid_target"),
        ({"scope": "notes:read admin"}, "invalid_scope"),
    ],
)
def test_a_request_without_what_makes_it_safe_goes_back_with_an_error(
    arrive: Arrive, sample: Sample, changed: dict[str, str], error: str
) -> None:
    visitor = arrive()

    answer = answer_in(visitor.browser.open(visitor.authorization_url(**changed)))

    assert (answer["error"], answer["iss"]) == (error, sample.issuer)


@pytest.mark.parametrize(
    "changed", [{"redirect_uri": "https://evil.example/callback"}, {"client_id": "c-unknown"}, {"redirect_uri": ""}]
)
def test_nobody_is_redirected_to_an_address_that_was_not_registered(arrive: Arrive, changed: dict[str, str]) -> None:
    visitor = arrive()

    page = visitor.browser.open(visitor.authorization_url(**changed))

    assert page.status == 400
    assert page.url.startswith(visitor.sample.issuer)


def test_a_form_from_another_browser_grants_nothing(arrive: Arrive) -> None:
    """Login and consent carry a token of the browser they were shown in."""
    victim, attacker = arrive(), arrive()
    victim.sign_in()
    attacker.sign_in("grace", "hopper")

    form = attacker.browser.page.form_with(button="Allow")
    page = victim.browser.press("Allow", form=form)

    assert page.status == 403


def test_a_cookie_planted_before_the_login_is_not_signed_in_by_it(arrive: Arrive) -> None:
    victim = arrive()
    victim.browser.open(victim.authorization_url())
    planted = victim.browser.cookies()

    victim.browser.press("Sign in", {"username": "ada", "password": "lovelace"})
    answer = httpx2.get(victim.authorization_url(), cookies=planted, trust_env=False)

    assert "Sign in to Marginalia" in answer.text


@pytest.mark.parametrize("uri", ["http://evil.example/callback", "ftp://127.0.0.1/", "https://x.example/#f", 7])
def test_a_client_cannot_register_an_unsafe_redirect(sample: Sample, uri: object) -> None:
    answer = register(sample, redirect_uris=[uri])

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


def test_a_confidential_client_proves_itself_by_the_method_it_registered(arrive: Arrive, sample: Sample) -> None:
    visitor = arrive()
    registered = register(sample, token_endpoint_auth_method="client_secret_basic").json()
    visitor.client_id, secret = registered["client_id"], registered["client_secret"]
    code = visitor.code()
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    fields["code_verifier"] = visitor.verifier

    without = visitor.exchange(code)
    posted = visitor.exchange(code, client_secret=secret)
    wrong, proved = (
        httpx2.post(f"{sample.issuer}/token", data=fields, auth=(visitor.client_id, given), trust_env=False)
        for given in ("wrong", secret)
    )

    assert (without.status_code, posted.status_code, wrong.status_code) == (401, 401, 401)
    assert proved.json()["token_type"] == "Bearer"


def test_only_the_service_may_introspect_and_only_the_story_may_look(arrive: Arrive, sample: Sample) -> None:
    visitor = arrive()
    token = visitor.exchange(visitor.code()).json()["access_token"]

    asked = httpx2.post(f"{sample.issuer}/introspect", data={"token": token}, auth=("x", "y"), trust_env=False)
    looked = [httpx2.get(f"{origin}/_seen", trust_env=False) for origin in (sample.issuer, sample.origin)]

    assert asked.status_code == 401
    assert [answer.status_code for answer in looked] == [404, 404]


def test_repeated_and_oversized_fields_are_refused(arrive: Arrive, sample: Sample) -> None:
    visitor = arrive()

    repeated = answer_in(visitor.browser.open(visitor.authorization_url() + "&resource=http://127.0.0.1:2/mcp"))
    oversized = visitor.token(grant_type="x" * 20_000)

    assert repeated["error"] == "invalid_request"
    assert oversized.status_code == 413
