"""A FastMCP server that lets in tokens of an authorization server of its own. Arguments: its port, the issuer."""

from __future__ import annotations

import sys

from fastmcp import FastMCP
from fastmcp.server.auth import RemoteAuthProvider
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_access_token
from pydantic import AnyHttpUrl


def main(port: int, issuer: str) -> None:
    address = f"http://127.0.0.1:{port}"
    verifier = JWTVerifier(
        jwks_uri=f"{issuer}/jwks", issuer=issuer, audience=f"{address}/mcp", required_scopes=["notes:read"]
    )
    server = FastMCP(
        "Notes",
        auth=RemoteAuthProvider(token_verifier=verifier, authorization_servers=[AnyHttpUrl(issuer)], base_url=address),
    )

    @server.tool(annotations={"readOnlyHint": True})
    def whoami() -> str:
        """Whose token came with this call."""
        token = get_access_token()
        assert token is not None
        return f"{token.claims['sub']} may {' '.join(token.scopes)}"

    server.run(transport="http", host="127.0.0.1", port=port, show_banner=False, log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
