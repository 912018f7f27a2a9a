"""The root key in the transit engine of OpenBao or HashiCorp Vault, by its HTTP API: the key never leaves it.

--root-key transit:https://bao.example.com:8200/transit/keys/NAME?token-file=/run/bao/token. The token is read anew for
each request (an agent renews it) and may do no more than encrypt and decrypt with this key. Associated data names what
is wrapped, so the key must be of type aes256-gcm96.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from valetkey.kernel.errors import BadInput, RootKeyUnavailable, StartRefused, ValetkeyError
from valetkey.vault.model import Tampered
from valetkey.vault.root_keys import ciphertext_of, id_of, sealed_elsewhere

_SECONDS = 5.0
_PATH = re.compile(r"/?(?:v1/)?(?P<mount>[A-Za-z0-9_./-]{1,80})/keys/(?P<key>[A-Za-z0-9_.-]{1,80})")
_SEALED = re.compile(r"vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/=]+)")
_EXAMPLE = "transit:https://bao.example.com:8200/transit/keys/valetkey?token-file=/run/bao/token"


class TransitKey:
    """One named key; its versions are counted there, and older ones unwrap until an operator forbids it there."""

    scheme = "transit"
    created = False

    def __init__(self, http: httpx2.AsyncClient, *, mount: str, key: str, token_file: Path, place: str) -> None:
        self._http = http
        self._mount = mount
        self._key = key
        self._token_file = token_file
        self._newest = 1
        self.place = place

    @property
    def versions(self) -> dict[int, str]:
        return {one: id_of("transit", self._mount, self._key, str(one)) for one in range(1, self._newest + 1)}

    @property
    def key_id(self) -> str:
        return self.versions[self._newest]

    async def rotate(self) -> int:
        raise BadInput(
            "The hub's token may not rotate the key, and should not.",
            hint=f"Rotate it there (bao write -f {self._mount}/keys/{self._key}/rotate), then `valetkey key rewrap`.",
        )

    async def wrap(self, plaintext: bytes | bytearray, *, context: bytes) -> bytes:
        answer = await self._asked("encrypt", {"plaintext": base64.b64encode(plaintext).decode()}, context)
        match = _SEALED.fullmatch(str(answer.get("ciphertext", "")))
        if match is None:
            raise RootKeyUnavailable("The transit engine gave an answer that is none.", hint=f"Check {self.place}.")
        version = int(match[1])
        self._newest = max(self._newest, version)  # it was rotated there
        return sealed_elsewhere(self.versions[version], base64.b64decode(match[2]))

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        version, blob = ciphertext_of(wrapped, self.versions)
        answer = await self._asked(
            "decrypt", {"ciphertext": f"vault:v{version}:{base64.b64encode(blob).decode()}"}, context
        )
        try:
            return bytearray(base64.b64decode(str(answer["plaintext"]), validate=True))
        except (KeyError, binascii.Error) as error:
            raise RootKeyUnavailable("The transit engine gave an answer that is none.") from error

    async def _asked(self, verb: str, given: dict[str, str], context: bytes) -> dict[str, Any]:
        body = given | {"associated_data": base64.b64encode(context).decode()}
        try:
            token = self._token_file.read_text().strip()
        except OSError as error:
            raise RootKeyUnavailable(
                f"The token file {self._token_file} cannot be read.", hint="Is the agent that writes it running?"
            ) from error
        path = f"/v1/{self._mount}/{verb}/{self._key}"
        try:
            answer = await self._http.post(path, json=body, headers={"X-Vault-Token": token, "X-Vault-Request": "true"})
        except httpx2.HTTPError as error:
            raise RootKeyUnavailable(
                f"The transit engine did not answer ({type(error).__name__}).",
                hint=f"Is {self.place} up, and unsealed?",
            ) from error
        if answer.status_code == 400 and verb == "decrypt":
            raise Tampered("A wrapped key, or what it belongs to, was changed.")
        if answer.status_code != 200:
            raise RootKeyUnavailable(
                f"The transit engine said no (status {answer.status_code}).",
                hint="Check the token's policy and the seal.",
            )
        try:
            data = answer.json()["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise RootKeyUnavailable("The transit engine gave an answer that is none.") from error
        return data if isinstance(data, dict) else {}


async def open_transit(where: str, *, transport: httpx2.AsyncBaseTransport | None = None) -> TransitKey:
    """The key at the address, proven by wrapping something. Raises `StartRefused`. `transport`: for tests."""
    url = urlsplit(where)
    match = _PATH.fullmatch(url.path)
    token_file = parse_qs(url.query).get("token-file", [""])[0]
    is_near = url.hostname in ("127.0.0.1", "::1", "localhost")
    if not match or not url.hostname or not token_file or url.username or url.scheme not in ("https", "http"):
        raise StartRefused("The address of the transit key cannot be read.", hint=f"--root-key {_EXAMPLE}")
    if url.scheme == "http" and not is_near:
        raise StartRefused("The transit engine is not on this host, so it must be https.", hint=f"Say {_EXAMPLE}")
    # No proxy or credential from the environment, and no redirect: the token goes to the named machine alone.
    http = httpx2.AsyncClient(
        base_url=f"{url.scheme}://{url.netloc}",
        timeout=_SECONDS,
        trust_env=False,
        follow_redirects=False,
        transport=transport,
    )
    place = f"{url.scheme}://{url.netloc}/{match['mount']}/keys/{match['key']}"
    made = TransitKey(http, mount=match["mount"], key=match["key"], token_file=Path(token_file), place=place)
    try:
        await made.wrap(b"probe", context=b"probe")
    except ValetkeyError as error:
        raise StartRefused(error.message, hint=error.hint) from error
    return made
