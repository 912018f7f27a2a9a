"""The story's looking is not hollow: what should not be seen fails its step."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from valetkey.demo.ledger import digest
from valetkey.demo.neighborhood import Sample
from valetkey.demo.story.play import PASSWORD, Hub, NotSeen, Story

TOKEN = f"ma_{secrets.token_urlsafe(32)}"


@dataclass(frozen=True)
class Seen(Sample):
    """A sample service of which we say ourselves what it saw."""

    requests: list[dict[str, Any]] = field(default_factory=list)

    def seen_by_service(self) -> list[dict[str, Any]]:
        return list(self.requests)

    def seen_by_authorization_server(self) -> dict[str, list[dict[str, str]]]:
        issued = {"kind": "access", "person": "ada", "value": TOKEN, "token_sha256": digest(TOKEN)}
        return {"issued": [issued], "revocations": []}


@pytest.fixture
def told(tmp_path: Path) -> Story:
    (tmp_path / "data").mkdir()
    for name in ("root.key", "log.txt"):
        (tmp_path / name).write_text("key-material-" + secrets.token_hex())
    (tmp_path / "root.key").chmod(0o600)
    hub = Hub("http://localhost:1", tmp_path / "data", tmp_path / "root.key", tmp_path / "log.txt", "")
    return Story(
        hub,
        Seen("http://127.0.0.1:1/mcp", "http://127.0.0.1:1", "http://127.0.0.1:2", ""),
        lambda *_: None,
        token="vkt_" + secrets.token_urlsafe(32),
    )


def test_a_root_key_that_others_can_read_or_that_lies_with_the_data_is_noticed(told: Story) -> None:
    told.root_key_is_apart()

    told.hub.root_key.chmod(0o640)
    with pytest.raises(NotSeen, match="mode is 640"):
        told.root_key_is_apart()
    told.hub.root_key.chmod(0o600)
    (told.hub.data / "copy").write_text(told.hub.root_key.read_text())
    with pytest.raises(NotSeen, match="copy"):
        told.root_key_is_apart()
    (told.hub.data / "copy").unlink()
    told.hub = replace(told.hub, data=told.hub.root_key.parent)
    with pytest.raises(NotSeen, match="below the data"):
        told.root_key_is_apart()


@pytest.mark.parametrize("whose", ["the service's", "the assistant's", "the person's"])
def test_a_secret_in_the_data_or_in_the_log_is_noticed(told: Story, whose: str) -> None:
    secret = {"the service's": TOKEN, "the assistant's": told.token, "the person's": PASSWORD}[whose]
    told.nowhere_in_clear()

    (told.hub.data / "valetkey.db").write_bytes(b"..." + secret.encode() + b"...")
    with pytest.raises(NotSeen, match=r"valetkey\.db: raw"):
        told.nowhere_in_clear()
    (told.hub.data / "valetkey.db").unlink()
    told.hub.log.write_text(secret.encode().hex())
    with pytest.raises(NotSeen, match=r"log\.txt: hex"):
        told.nowhere_in_clear()


def test_a_token_that_ada_did_not_give_is_noticed(told: Story) -> None:
    assert isinstance(told.sample, Seen)
    with pytest.raises(NotSeen):
        told.own_token_only()
    told.sample.requests.append({"token_sha256": digest(TOKEN), "person": "ada"})
    told.own_token_only()

    told.sample.requests.append({"token_sha256": digest(told.token), "person": ""})
    with pytest.raises(NotSeen, match="1 tokens that ada did not give"):
        told.own_token_only()


def test_a_story_that_cannot_go_on_says_so_and_how_many_steps_are_left(told: Story) -> None:
    lines: list[tuple[bool, str]] = []
    told.tell = lambda seen, title, _what: lines.append((seen, title))

    with pytest.raises(httpx2.TransportError):
        httpx2.get(told.hub.url, trust_env=False)
    seen = told.play()

    assert not seen
    assert [ok for ok, _ in lines] == [True, False, False]
    assert lines[-1][1] == "29 steps were not reached"
