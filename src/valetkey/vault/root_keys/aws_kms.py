"""The root key in AWS KMS: wrapping and unwrapping happen there, and the key never leaves it.

The encryption context says what is wrapped ({"app": "valetkey", "context": hex}), so that a key policy can demand it.
The hub needs kms:Encrypt and kms:Decrypt on the one key, nothing else. Credentials and region come the ways boto3
knows (instance role, environment); AWS_ENDPOINT_URL_KMS names a private endpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from valetkey.kernel.errors import BadInput, RootKeyUnavailable, StartRefused, ValetkeyError, printable
from valetkey.vault.envelope import wipe
from valetkey.vault.model import Tampered
from valetkey.vault.root_keys import ciphertext_of, id_of, sealed_elsewhere

_SECONDS = 4.0  # for one answer; boto3 tries twice
_PROBE = {"app": "valetkey", "context": "probe"}


class KmsKey:
    """One key of AWS KMS. Its own yearly rotation happens inside and is none of ours; another key is another one."""

    scheme = "aws-kms"
    created = False

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn
        self.place = arn
        self.key_id = id_of("aws-kms", arn)
        self.versions = {1: self.key_id}

    async def rotate(self) -> int:
        raise BadInput(
            "AWS KMS rotates its keys itself.",
            hint="Switch that on there, or move to another key: valetkey key rotate root --to aws-kms:KEY",
        )

    async def wrap(self, plaintext: bytes | bytearray, *, context: bytes) -> bytes:
        given = {"KeyId": self._arn, "Plaintext": bytes(plaintext), "EncryptionContext": _context(context)}
        answer = await asyncio.to_thread(_asked, self._client.encrypt, given)
        return sealed_elsewhere(self.key_id, answer["CiphertextBlob"])

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        _version, blob = ciphertext_of(wrapped, self.versions)
        given = {"KeyId": self._arn, "CiphertextBlob": blob, "EncryptionContext": _context(context)}
        return bytearray((await asyncio.to_thread(_asked, self._client.decrypt, given))["Plaintext"])


async def open_kms(key: str) -> KmsKey:
    """The key named by `key` (ARN, id or alias), proven by wrapping something. Raises `StartRefused`."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise StartRefused("The library for AWS is not installed.", hint="pip install 'valetkey[aws]'") from error
    if not key:
        raise StartRefused("No key of AWS KMS was named.", hint="--root-key aws-kms:arn:aws:kms:REGION:ACCOUNT:key/ID")
    parts = key.split(":")
    region = parts[3] if key.startswith("arn:") and len(parts) > 5 else None
    timeouts = {"connect_timeout": _SECONDS, "read_timeout": _SECONDS, "retries": {"total_max_attempts": 2}}
    try:
        client = await asyncio.to_thread(boto3.client, "kms", region_name=region, config=Config(**timeouts))
        given = {"KeyId": key, "Plaintext": b"probe", "EncryptionContext": _PROBE}
        arn = (await asyncio.to_thread(_asked, client.encrypt, given))["KeyId"]
    except BotoCoreError as error:
        raise StartRefused(
            f"AWS KMS cannot be used: {printable(error)}.", hint="Give region and credentials the ways boto3 knows."
        ) from error
    except ValetkeyError as error:
        raise StartRefused(error.message, hint=error.hint) from error
    return KmsKey(client, arn)


def _context(context: bytes) -> dict[str, str]:
    return {"app": "valetkey", "context": context.hex()}


def _asked(call: Callable[..., dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    """AWS's answer. Raises `Tampered` for a ciphertext that is not what it was, else `RootKeyUnavailable`."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call(**given)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in ("InvalidCiphertextException", "IncorrectKeyException"):
            raise Tampered("A wrapped key, or what it belongs to, was changed.") from error
        raise RootKeyUnavailable(
            f"AWS KMS said no ({printable(code, limit=60)}).", hint="Check the key's state and its policy."
        ) from error
    except BotoCoreError as error:
        raise RootKeyUnavailable(
            f"AWS KMS did not answer ({type(error).__name__}).", hint="It is tried again with the next call."
        ) from error
    finally:
        if isinstance(held := given.get("Plaintext"), bytearray):
            wipe(held)
