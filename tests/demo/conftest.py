"""The sample service, running in its own two processes, and a client that has been through its doors."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from valetkey.demo.ledger import s256
from valetkey.demo.neighborhood import Sample, sample_service
from valetkey.demo.story.browser import Browser, Page

CALLBACK = "http://127.0.0.1:9/callback"


@pytest.fixture(scope="package")
def sample() -> Iterator[Sample]:
    with sample_service() as running:
        yield running


@dataclass
class Visitor:
    """A registered public client, and the browser of the person it acts for."""

    sample: Sample
    client_id: str
    browser: Browser
    verifier: str

    def authorization_url(self, **changed: str) -> str:
        fields = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "state": "s1",
            "code_challenge": s256(self.verifier),
            "code_challenge_method": "S256",
            "resource": self.sample.url,
            "scope": "notes:read notes:write",
            **changed,
        }
        return f"{self.sample.issuer}/authorize?{urlencode(fields)}"

    def sign_in(self, person: str = "ada", password: str = "lovelace") -> Page:
        self.browser.open(self.authorization_url())
        return self.browser.press("Sign in", {"username": person, "password": password})

    def code(self) -> str:
        self.sign_in()
        return answer_in(self.browser.press("Allow"))["code"]

    def token(self, **fields: str) -> httpx2.Response:
        return self._post("/token", {"client_id": self.client_id, **fields})

    def exchange(self, code: str, **changed: str) -> httpx2.Response:
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return self.token(**{**fields, "code_verifier": self.verifier, "resource": self.sample.url, **changed})

    def refresh(self, token: str, **changed: str) -> httpx2.Response:
        return self.token(grant_type="refresh_token", refresh_token=token, resource=self.sample.url, **changed)

    def revoke(self, token: str) -> httpx2.Response:
        return self._post("/revoke", {"client_id": self.client_id, "token": token})

    def call(self, token: str) -> httpx2.Response:
        return httpx2.post(self.sample.url, headers={"authorization": f"Bearer {token}"}, json={}, trust_env=False)

    def _post(self, path: str, fields: dict[str, str]) -> httpx2.Response:
        return httpx2.post(f"{self.sample.issuer}{path}", data=fields, trust_env=False)


def answer_in(page: Page) -> dict[str, str]:
    """The fields with which the authorization server sent the browser back."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def register(sample: Sample, **metadata: object) -> httpx2.Response:
    body = {"redirect_uris": [CALLBACK], "client_name": "Tests", "token_endpoint_auth_method": "none", **metadata}
    return httpx2.post(f"{sample.issuer}/register", json=body, trust_env=False)


@pytest.fixture
def arrive(sample: Sample) -> Iterator[Callable[[], Visitor]]:
    browsers: list[Browser] = []

    def build() -> Visitor:
        browsers.append(Browser(stop_at=CALLBACK))
        return Visitor(sample, register(sample).json()["client_id"], browsers[-1], secrets.token_urlsafe(48))

    yield build
    for browser in browsers:
        browser.close()
