"""Behind a reverse proxy everybody seems to come from one address, unless the proxy is trusted to say otherwise."""

from __future__ import annotations

import tempfile
from pathlib import Path

import httpx2
import pytest

from tests.cli.conftest import first_words, start

PER_HOUR = 10
REGISTRATION = {"redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none"}


def _registered(*arguments: str) -> list[int]:
    """The answers to one registration more than a network gets in an hour, each said to come from somewhere else."""
    with tempfile.TemporaryDirectory(prefix="vk-proxy-", dir="/tmp") as home:
        process = start(Path(home), *arguments)
        try:
            url = first_words(process)["ready"]
            with httpx2.Client(base_url=url, trust_env=False) as client:
                return [
                    client.post(
                        "/oauth/register", json=REGISTRATION, headers={"x-forwarded-for": f"198.51.{number}.7"}
                    ).status_code
                    for number in range(PER_HOUR + 1)
                ]
        finally:
            process.terminate()
            process.communicate(timeout=60)


def test_a_stranger_who_names_another_address_is_counted_where_they_are() -> None:
    assert _registered() == [201] * PER_HOUR + [429]


@pytest.mark.parametrize("proxy", ["127.0.0.1/32", "127.0.0.0/8"])
def test_a_trusted_proxy_tells_networks_apart(proxy: str) -> None:
    assert _registered("--trusted-proxy", proxy) == [201] * (PER_HOUR + 1)


def test_a_proxy_that_is_somewhere_else_is_not_believed() -> None:
    assert _registered("--trusted-proxy", "10.0.0.0/8") == [201] * PER_HOUR + [429]
