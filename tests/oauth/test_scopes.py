"""Which scopes are asked for: S-18 and S-19 as a matrix."""

from __future__ import annotations

import pytest
from mcp.client.auth.utils import get_client_metadata_scopes
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata

from valetkey.oauth.model import ScopeOrigin
from valetkey.oauth.scopes import beyond, choose

MANY = tuple(f"scope:{number}" for number in range(300))


@pytest.mark.parametrize(
    ("pin", "challenge", "connector", "server", "fallback", "parameter", "origin"),
    [
        ("", "a b", (), (), True, "a b", ScopeOrigin.CHALLENGE),
        ("", "", ("c", "d"), (), True, "c d", ScopeOrigin.CONNECTOR),
        ("", "b a", ("a", "b", "c"), ("x",), True, "b a", ScopeOrigin.CHALLENGE),
        ("", "", ("c",), ("x", "y"), True, "c", ScopeOrigin.CONNECTOR),
        ("", "", (), ("x", "admin:*"), True, "x admin:*", ScopeOrigin.AUTHORIZATION_SERVER),
        ("", "", (), ("x",), False, "", ScopeOrigin.NONE),
        ("", "", (), (), True, "", ScopeOrigin.NONE),
        ("", " a  b a ", (), (), True, "a b", ScopeOrigin.CHALLENGE),
        ("", "   ", ("c",), (), True, "c", ScopeOrigin.CONNECTOR),
        ("", " ".join(MANY), (), (), True, " ".join(MANY), ScopeOrigin.CHALLENGE),
        ("", "", MANY, (), True, " ".join(MANY), ScopeOrigin.CONNECTOR),
        ("p", "a b", ("c",), ("x", "offline_access"), True, "p", ScopeOrigin.PINNED),
        ("q p", "", (), (), True, "q p", ScopeOrigin.PINNED),
        ("", "a", (), ("offline_access",), True, "a offline_access", ScopeOrigin.CHALLENGE),
        ("", "offline_access a", (), ("offline_access",), True, "offline_access a", ScopeOrigin.CHALLENGE),
        ("", "a", (), ("a", "b"), True, "a", ScopeOrigin.CHALLENGE),
        ("", "", (), ("a", "offline_access"), False, "", ScopeOrigin.NONE),
        ("", 'a "b c\\d ü e', (), (), True, "a e", ScopeOrigin.CHALLENGE),
    ],
)
def test_the_scope_parameter_is_exactly_this(
    pin: str,
    challenge: str,
    connector: tuple[str, ...],
    server: tuple[str, ...],
    fallback: bool,
    parameter: str,
    origin: ScopeOrigin,
) -> None:
    chosen = choose(pin=pin, challenge=challenge, connector=connector, authorization_server=server, fallback=fallback)

    assert (chosen.parameter, chosen.origin) == (parameter, origin)
    assert chosen.parameter == chosen.parameter.strip()


@pytest.mark.parametrize("challenge", ["", "a b"])
@pytest.mark.parametrize("connector", [(), ("c", "d")])
@pytest.mark.parametrize("server", [(), ("x", "y"), ("x", "offline_access")])
def test_it_chooses_what_the_sdk_chooses(challenge: str, connector: tuple[str, ...], server: tuple[str, ...]) -> None:
    resource = ProtectedResourceMetadata.model_validate(
        {
            "resource": "https://h.example/mcp",
            "authorization_servers": ["https://as.example.com"],
            "scopes_supported": list(connector) or None,
        }
    )
    metadata = OAuthMetadata.model_validate(
        {
            "issuer": "https://as.example.com",
            "authorization_endpoint": "https://as.example.com/a",
            "token_endpoint": "https://as.example.com/t",
            "scopes_supported": list(server) or None,
        }
    )
    theirs = get_client_metadata_scopes(challenge or None, resource, metadata, ["authorization_code", "refresh_token"])

    ours = choose(pin="", challenge=challenge, connector=connector, authorization_server=server, fallback=True)

    assert ours.parameter == (theirs or "")


def test_what_goes_beyond_is_told_but_for_what_gives_no_right() -> None:
    assert beyond("a b admin openid offline_access", ["a", "b"]) == ("admin",)
    assert beyond("a", ["a", "b"]) == ()
    assert beyond("", ["a"]) == ()
