"""Where the pages for people are: addresses that the API hands out. `web` has the pages."""

from __future__ import annotations

from urllib.parse import urlencode

from valetkey.kernel.secret import Secret


class Pages:
    """Whole URLs below the hub's public one."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url

    def sign_in(self, token: Secret) -> str:
        """The one-time link. It leaves us here, to whoever was asked to hand it over."""
        return f"{self._public_url}/signin/link/{token.reveal().decode()}"

    def connect(self, connector: str, *, label: str, display_name: str) -> str:
        """Where a person begins to connect an account, with what is known already filled in."""
        given = {name: value for name, value in (("label", label), ("display_name", display_name)) if value}
        return f"{self._public_url}/connections/new/{connector}" + (f"?{urlencode(given)}" if given else "")

    def connection(self, connection_id: str) -> str:
        return f"{self._public_url}/connections/{connection_id}"
