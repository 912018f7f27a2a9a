"""The root key in a token: SoftHSM, which speaks PKCS #11 as a hardware module does."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from valetkey.kernel.errors import StartRefused
from valetkey.vault.model import Tampered, WrongKey
from valetkey.vault.root_keys.pkcs11 import open_pkcs11

pytestmark = pytest.mark.real

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "471147"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An address of a fresh token. One per process: the module reads where its tokens are only once."""
    tool = shutil.which("softhsm2-util")
    assert tool is not None
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    pin_file = folder / "pin"
    pin_file.write_text(PIN + "\n")
    pin_file.chmod(0o600)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        made = [tool, "--init-token", "--free", "--label", "valetkey", "--pin", PIN, "--so-pin", PIN]
        subprocess.run(made, check=True, capture_output=True)
        yield f"token=valetkey;object=root-key?module-path={MODULE}&pin-source={pin_file}"


def test_a_wrong_pin_token_or_module_refuses_the_start_in_words(token: str, tmp_path: Path) -> None:
    """First in this file: once a process is logged in, PKCS #11 does not ask it again."""
    wrong = tmp_path / "pin"
    wrong.write_text("000000")
    wrong.chmod(0o600)
    address = token.partition("pin-source")[0]

    with pytest.raises(StartRefused, match="cannot be used"):
        open_pkcs11(f"{address}pin-source={wrong}", may_create=False)
    with pytest.raises(StartRefused, match="cannot be used"):
        open_pkcs11(token.replace("token=valetkey", "token=other"), may_create=False)
    with pytest.raises(StartRefused, match="cannot be"):
        open_pkcs11(token.replace(str(MODULE), "/nowhere.so"), may_create=False)
    wrong.chmod(0o644)
    with pytest.raises(StartRefused, match="open to others"):
        open_pkcs11(f"{address}pin-source={wrong}", may_create=False)


async def test_a_key_in_a_token_wraps_for_its_context_rotates_and_is_found_again(token: str) -> None:
    with pytest.raises(StartRefused, match="has no key"):
        open_pkcs11(token, may_create=False)
    provider = open_pkcs11(token, may_create=True)
    first = await provider.wrap(b"k" * 32, context=b"here")
    assert await provider.rotate() == 2
    second = await provider.wrap(b"n" * 32, context=b"here")

    found = open_pkcs11(token, may_create=False)

    assert (provider.created, found.created) == (True, False)
    assert list(found.versions) == [1, 2]
    assert found.key_id == provider.key_id
    assert bytes(await found.unwrap(first, context=b"here")) == b"k" * 32
    assert bytes(await found.unwrap(second, context=b"here")) == b"n" * 32
    with pytest.raises(Tampered):
        await found.unwrap(first, context=b"there")
    with pytest.raises(Tampered):
        await found.unwrap(first[:-1] + bytes([first[-1] ^ 1]), context=b"here")
    with pytest.raises(WrongKey):
        await found.unwrap(first[:4] + bytes(8) + first[12:], context=b"here")
