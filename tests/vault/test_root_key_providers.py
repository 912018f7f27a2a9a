"""One story over the interface, for every provider: wrap, unwrap, refuse what was changed, moved or another's.

`pkcs11` runs with the real parts (SoftHSM, `./x test --real`); the transit engine is a contract fake.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx2
import keyring.backends.fail
import keyring.backends.null
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from moto import mock_aws

from valetkey.kernel.errors import BadInput, RootKeyUnavailable, StartRefused, VaultFailed
from valetkey.kernel.secret import Secret
from valetkey.vault.model import Tampered, WrongKey
from valetkey.vault.root_keys import RootKey, named
from valetkey.vault.root_keys.aws_kms import open_kms
from valetkey.vault.root_keys.file import open_or_create
from valetkey.vault.root_keys.keyring import is_real, open_keyring
from valetkey.vault.root_keys.opening import Asked, nobody_to_ask, open_root_key
from valetkey.vault.root_keys.passphrase import open_passphrase
from valetkey.vault.root_keys.pkcs11 import read_uri
from valetkey.vault.root_keys.systemd_creds import open_systemd
from valetkey.vault.root_keys.transit import open_transit

WORDS = "correct horse battery staple"


class FakeDesktop:
    """A keyring as a desktop has it."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


class FakeTransit:
    """The contract of the transit engine, as its documentation has it: versions, associated data, statuses."""

    def __init__(self) -> None:
        self.keys = [AESGCM.generate_key(256)]
        self.status = 200
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if self.status != 200:
            return httpx2.Response(self.status, json={"errors": ["no"]})
        if request.headers["x-vault-token"] != "s.token":
            return httpx2.Response(403, json={"errors": ["permission denied"]})
        given = json.loads(request.content)
        about = base64.b64decode(given["associated_data"])
        match request.url.path:
            case "/v1/transit/encrypt/valetkey":
                nonce = os.urandom(12)
                sealed = AESGCM(self.keys[-1]).encrypt(nonce, base64.b64decode(given["plaintext"]), about)
                text = f"vault:v{len(self.keys)}:{base64.b64encode(nonce + sealed).decode()}"
                return httpx2.Response(200, json={"data": {"ciphertext": text}})
            case "/v1/transit/decrypt/valetkey":
                _vault, version, text = given["ciphertext"].split(":")
                sealed = base64.b64decode(text)
                try:
                    plain = AESGCM(self.keys[int(version[1:]) - 1]).decrypt(sealed[:12], sealed[12:], about)
                except InvalidTag:
                    return httpx2.Response(400, json={"errors": ["invalid ciphertext: unable to decrypt"]})
                return httpx2.Response(200, json={"data": {"plaintext": base64.b64encode(plain).decode()}})
        return httpx2.Response(404)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("s.token\n")
    return path


async def transit(engine: FakeTransit, token_file: Path) -> RootKey:
    where = f"http://127.0.0.1:8200/transit/keys/valetkey?token-file={token_file}"
    return await open_transit(where, transport=httpx2.MockTransport(engine))


def kms_key() -> str:
    made: str = boto3.client("kms", region_name="eu-central-1").create_key()["KeyMetadata"]["Arn"]
    return made


def credentials(tmp_path: Path, count: int = 1) -> dict[str, str]:
    directory = tmp_path / "credentials"
    directory.mkdir(exist_ok=True)
    for number in range(1, count + 1):
        path = directory / ("valetkey-root-key" if number == 1 else f"valetkey-root-key.{number}")
        if not path.exists():
            path.write_bytes(os.urandom(32))
    return {"CREDENTIALS_DIRECTORY": str(directory)}


def passphrase(text: str, deployment_id: str = "hub_1") -> RootKey:
    return open_passphrase("prompt", deployment_id=deployment_id, ask=lambda _question: Secret(text))


@pytest.fixture(params=["file", "passphrase", "keyring", "systemd-creds", "aws-kms", "transit"])
async def provider(request: pytest.FixtureRequest, tmp_path: Path, token_file: Path) -> RootKey:
    match request.param:
        case "file":
            return open_or_create(tmp_path / "k" / "root.key", forbidden_below=[], may_create=True)
        case "passphrase":
            return passphrase(WORDS)
        case "keyring":
            return open_keyring("hub_1", may_create=True, backend=FakeDesktop())
        case "systemd-creds":
            return open_systemd("", environment=credentials(tmp_path))
        case "aws-kms":
            request.getfixturevalue("aws")
            return await open_kms(kms_key())
    return await transit(FakeTransit(), token_file)


async def test_what_is_wrapped_opens_for_its_context_only_and_names_its_key(provider: RootKey) -> None:
    wrapped = await provider.wrap(bytearray(b"k" * 32), context=b"here")
    again = await provider.wrap(b"k" * 32, context=b"here")

    assert bytes(await provider.unwrap(wrapped, context=b"here")) == b"k" * 32
    assert named(wrapped) == provider.key_id == list(provider.versions.values())[-1]
    assert wrapped != again
    assert b"k" * 32 not in wrapped
    with pytest.raises(Tampered):
        await provider.unwrap(wrapped, context=b"there")


async def test_what_was_changed_or_is_anothers_opens_nothing(provider: RootKey, tmp_path: Path) -> None:
    wrapped = await provider.wrap(b"k" * 32, context=b"here")
    other = open_or_create(tmp_path / "other" / "root.key", forbidden_below=[], may_create=True)
    foreign = await other.wrap(b"k" * 32, context=b"here")

    for at in (13, len(wrapped) // 2, len(wrapped) - 1):
        changed = wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :]
        with pytest.raises(
            (VaultFailed, RootKeyUnavailable)
        ):  # AWS may take it for another key's, which we may not use
            await provider.unwrap(changed, context=b"here")
    for stranger in (foreign, wrapped[:10], b"", b"plain text that is no wrapped key at all"):
        with pytest.raises((WrongKey, Tampered)):
            await provider.unwrap(stranger, context=b"here")


async def test_a_provider_tells_people_where_the_key_is_and_nothing_of_it(provider: RootKey) -> None:
    assert provider.scheme
    assert provider.place
    assert len(provider.key_id) == 16
    assert WORDS not in repr(provider) + provider.place


async def test_a_new_version_wraps_and_the_older_still_unwraps(tmp_path: Path, token_file: Path) -> None:
    engine = FakeTransit()
    desktop = FakeDesktop()
    rotating = await transit(engine, token_file)
    kept = open_keyring("hub_1", may_create=True, backend=desktop)
    old = [await one.wrap(b"k" * 32, context=b"c") for one in (rotating, kept)]

    engine.keys.append(AESGCM.generate_key(256))  # an operator rotated it there
    assert await kept.rotate() == 2
    new = [await one.wrap(b"n" * 32, context=b"c") for one in (rotating, kept)]
    reopened = [await transit(engine, token_file), open_keyring("hub_1", may_create=False, backend=desktop)]

    for provider, before, after in zip(reopened, old, new, strict=True):
        assert list(provider.versions) == [1, 2]
        assert bytes(await provider.unwrap(before, context=b"c")) == b"k" * 32
        assert bytes(await provider.unwrap(after, context=b"c")) == b"n" * 32
        assert named(before) != named(after)


# --- passphrase -------------------------------------------------------------------------------------------------------


async def test_the_same_passphrase_opens_again_and_another_or_another_deployments_does_not() -> None:
    wrapped = await passphrase(WORDS).wrap(b"k" * 32, context=b"c")

    assert bytes(await passphrase(WORDS).unwrap(wrapped, context=b"c")) == b"k" * 32
    for other in (passphrase(WORDS + "!"), passphrase(WORDS, "hub_2")):
        with pytest.raises(WrongKey):
            await other.unwrap(wrapped, context=b"c")


def test_a_passphrase_comes_from_a_descriptor_whose_end_of_line_is_not_part_of_it() -> None:
    read, write = os.pipe()
    os.write(write, WORDS.encode() + b"\n")
    os.close(write)

    made = open_passphrase(f"fd:{read}", deployment_id="hub_1", ask=nobody_to_ask)

    assert made.key_id == passphrase(WORDS).key_id


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        (WORDS, "does not belong into a setting"),
        ("env", "does not belong into a setting"),
        ("env:VAULT_PASSPHRASE", "does not belong into a setting"),
        ("", "does not belong into a setting"),
        ("fd:999", "cannot be read"),
        ("prompt", "no terminal"),
    ],
)
def test_a_passphrase_is_never_a_setting(where: str, sentence: str) -> None:
    with pytest.raises(StartRefused, match=sentence) as refused:
        open_passphrase(where, deployment_id="hub_1", ask=nobody_to_ask)
    assert WORDS not in str(refused.value)


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(StartRefused, match="fewer than 16"):
        passphrase("fifteen letters")


# --- keyring, systemd -------------------------------------------------------------------------------------------------


def test_backends_that_keep_nothing_or_keep_it_in_clear_are_no_keyrings() -> None:
    class PlaintextKeyring:
        __module__ = "keyrings.alt.file"

    for kind in (keyring.backends.fail.Keyring, keyring.backends.null.Keyring, PlaintextKeyring):
        assert not is_real(kind())


def test_an_entry_that_is_missing_or_no_key_is_not_made_up_for() -> None:
    desktop = FakeDesktop()

    with pytest.raises(StartRefused, match="has no entry"):
        open_keyring("hub_1", may_create=False, backend=desktop)
    for text in ("changeme", base64.b64encode(b"short").decode()):
        desktop.entries["valetkey", "hub_1"] = text
        with pytest.raises(StartRefused, match="is not a root key"):
            open_keyring("hub_1", may_create=True, backend=desktop)


async def test_a_further_credential_of_systemd_is_the_newer_key(tmp_path: Path) -> None:
    first = open_systemd("", environment=credentials(tmp_path))
    wrapped = await first.wrap(b"k" * 32, context=b"c")
    both = open_systemd("", environment=credentials(tmp_path, 2))

    assert both.key_id != first.key_id
    assert bytes(await both.unwrap(wrapped, context=b"c")) == b"k" * 32
    with pytest.raises(BadInput, match="cannot make one"):
        await both.rotate()


@pytest.mark.parametrize(
    ("environment", "content", "sentence"),
    [
        (False, None, "handed no credentials over"),
        (True, None, "handed over no credential"),
        (True, b"x" * 31, "is not 32 random bytes"),
        (True, b"x" * 32, "is not 32 random bytes"),
    ],
)
def test_what_systemd_did_not_hand_over_is_said(
    tmp_path: Path, environment: bool, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "valetkey-root-key").write_bytes(content)

    with pytest.raises(StartRefused, match=sentence):
        open_systemd("", environment={"CREDENTIALS_DIRECTORY": str(tmp_path)} if environment else {})


# --- AWS KMS ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("aws")
async def test_a_key_of_another_account_or_none_refuses_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000", ""):
        with pytest.raises(StartRefused, match="AWS KMS"):
            await open_kms(key)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(StartRefused, match="AWS KMS cannot be used"):
        await open_kms("alias/valetkey")  # in no region


@pytest.mark.usefixtures("aws")
async def test_kms_denied_or_slow_is_no_verdict_on_what_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """T11, ORG-18: the key is disabled (moto would decrypt all the same), or the answer does not come."""
    from botocore.exceptions import ClientError, ReadTimeoutError

    provider = await open_kms(kms_key())
    wrapped = await provider.wrap(b"k" * 32, context=b"c")

    def fails(error: Exception) -> Callable[..., Any]:
        def call(**_given: object) -> None:
            raise error

        return call

    for error, word in (
        (ClientError({"Error": {"Code": "DisabledException"}}, "Decrypt"), "DisabledException"),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "Decrypt"), "AccessDenied"),
        (ReadTimeoutError(endpoint_url="https://kms"), "did not answer"),
    ):
        monkeypatch.setattr(provider._client, "decrypt", fails(error))
        with pytest.raises(RootKeyUnavailable, match=word):
            await provider.unwrap(wrapped, context=b"c")


# --- transit ----------------------------------------------------------------------------------------------------------


async def test_transit_is_asked_at_the_named_machine_only_with_the_token_of_the_moment(token_file: Path) -> None:
    engine = FakeTransit()
    provider = await transit(engine, token_file)

    token_file.write_text("s.other")
    with pytest.raises(RootKeyUnavailable, match="403"):
        await provider.wrap(b"k" * 32, context=b"c")
    token_file.write_text("s.token")
    await provider.wrap(b"k" * 32, context=b"c")

    assert {str(request.url.host) for request in engine.requests} == {"127.0.0.1"}
    assert "s.token" not in "".join(str(request.url) for request in engine.requests)


@pytest.mark.parametrize("status", [301, 400, 403, 500, 503])
async def test_a_transit_engine_that_says_no_refuses_the_start(status: int, token_file: Path) -> None:
    engine = FakeTransit()
    engine.status = status

    with pytest.raises(StartRefused, match=f"status {status}"):
        await transit(engine, token_file)


@pytest.mark.parametrize(
    "where",
    [
        "http://bao.example.com/transit/keys/valetkey?token-file=/t",  # in clear over the network
        "https://bao.example.com/transit/keys/valetkey",  # no token file
        "https://user:pw@bao.example.com/transit/keys/valetkey?token-file=/t",
        "https://bao.example.com/transit/valetkey?token-file=/t",
        "ftp://bao.example.com/transit/keys/valetkey?token-file=/t",
        "",
    ],
)
async def test_an_address_that_is_none_or_not_safe_is_refused(where: str) -> None:
    with pytest.raises(StartRefused):
        await open_transit(where)


# --- pkcs11 without a token -------------------------------------------------------------------------------------------


def test_a_pin_is_a_file_and_never_part_of_the_address() -> None:
    address = read_uri("token=my%20token;object=key?module-path=/lib/x.so&pin-source=file:/run/pin")

    assert (address.token, address.label_of(2), address.pin_file) == ("my token", "key.2", Path("/run/pin"))
    with pytest.raises(StartRefused) as refused:
        read_uri("token=t?module-path=/lib/x.so&pin-value=123456")
    assert "123456" not in str(refused.value)
    with pytest.raises(StartRefused, match="lacks token"):
        read_uri("object=key")


# --- which one --------------------------------------------------------------------------------------------------------


async def test_a_path_is_a_file_and_an_unknown_provider_is_named(tmp_path: Path) -> None:
    def asked(spec: str) -> Asked:
        return Asked(spec=spec, deployment_id="hub_1", apart_from=[], may_create=True, ask=nobody_to_ask)

    path = tmp_path / "a" / "root.key"
    first = await open_root_key(asked(str(path)))
    second = await open_root_key(asked(f"file:{path}"))

    assert (first.scheme, first.created, second.created) == ("file", True, False)
    assert first.key_id == second.key_id
    with pytest.raises(StartRefused, match="no root key provider 'gcp-kms'"):
        await open_root_key(asked("gcp-kms:projects/x"))
