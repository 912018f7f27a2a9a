"""The drill of docs/vault.md: the root key is lost, two of three sheets bring everything back, by command line only."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import environment, first_words, start

VALETKEY = [sys.executable, "-m", "valetkey"]


def sheets_shown(environment: dict[str, str]) -> tuple[list[str], str]:
    """Makes a kit on a terminal of its own, as a person would; the sheets, and everything the terminal showed."""
    parent, child = pty.openpty()
    command = [*VALETKEY, "key", "recovery-kit"]
    with subprocess.Popen(command, stdin=child, stdout=child, stderr=child, env=environment) as process:
        os.close(child)
        shown = ""
        answered = 0
        while True:
            try:
                part = os.read(parent, 4096).decode()
            except OSError:  # Linux: the other end is closed
                break
            if not part:
                break
            shown += part
            waiting = shown.count("press Enter") + shown.count("[y/N]")
            if waiting > answered:
                answered += 1
                os.write(parent, b"y\n" if "[y/N]" in shown else b"\n")
    os.close(parent)
    assert process.returncode == 0, shown
    sheets = []
    for page in re.split(r"sheet \d of 3", shown)[1:]:
        numbered = {int(number): word for number, word in re.findall(r"\b(\d{1,2}) ([a-z]{3,})\b", page)}
        sheets.append(" ".join(numbered[at] for at in range(1, 34)))
    return sheets, shown


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vk-rec-", dir="/tmp") as directory:  # the control socket's path is short
        yield Path(directory)


def valetkey(home: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*VALETKEY, *words], input=given, env=environment(home), capture_output=True, text=True, check=False, timeout=60
    )


def stop(process: subprocess.Popen[str]) -> str:
    process.terminate()
    return process.communicate(timeout=60)[1]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_root_key_is_lost_and_two_sheets_bring_everything_back(home: Path) -> None:
    """T11, scripted: kit, loss, refusal, wrong sheets, recovery, start."""
    hub = start(home)
    root_key = Path(first_words(hub)["root key"])
    assert valetkey(home, "org", "create", "Keys Ltd").returncode == 0
    piped = valetkey(home, "key", "recovery-kit")
    sheets, shown = sheets_shown(environment(home))
    before = valetkey(home, "key", "status", "--json").stdout
    stop(hub)
    root_key.unlink()
    without = start(home)
    _out, refusal = without.communicate(timeout=60)
    other = sheets[0].replace(sheets[0].split()[5], "academic", 1)
    wrong = valetkey(home, "key", "recover", given=f"{other}\n{sheets[1]}\n")
    still_without = root_key.exists()

    recovered = valetkey(home, "key", "recover", "--root-key", str(home / "keys/new.key"), given="\n".join(sheets[1:]))
    again = start(home, "--root-key", str(home / "keys/new.key"))
    first_words(again)
    after = valetkey(home, "key", "status", "--json").stdout
    trail = valetkey(home, "trail", "list").stdout
    log = stop(again)

    assert (piped.returncode, piped.stdout) == (1, "")
    assert "on a terminal only" in piped.stderr
    assert [len(sheet.split()) for sheet in sheets] == [33, 33, 33]
    assert "Kit 1 is good" in shown
    assert without.returncode == 78
    assert "is missing" in refusal
    assert wrong.returncode == 1
    assert "do not belong together" in wrong.stderr
    assert not still_without or root_key.stat().st_size == 32
    assert recovered.returncode == 0, recovered.stderr
    assert re.search(r"root key: +.*new\.key", recovered.stdout)
    assert '"data_keys": ' in before
    assert re.findall(r'"data_keys": \d+', after) == re.findall(r'"data_keys": \d+', before)
    assert "key.recovery_kit" in trail
    assert "key.recover " in trail
    said = recovered.stdout + recovered.stderr + trail + log + after
    assert not any(" ".join(sheet.split()[4:8]) in said for sheet in sheets)
