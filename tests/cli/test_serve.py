"""Starting: what is printed, what is made, and each reason not to start (exit 78, one sentence, what to do)."""

from __future__ import annotations

import base64
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import RunningHub, environment, first_words, start
from valetkey.cli.main import run
from valetkey.cli.start_checks import check_data_directory, holding_data_directory, is_held, listen
from valetkey.kernel.errors import StartRefused
from valetkey.settings import Settings, load_settings

Serve = Callable[..., tuple[int, str]]

_REFUSED_BY = 20.0  # seconds; a start that is not refused would go on for ever


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path: the control socket's must not be longer than 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="vk-serve-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
def serve(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Serve]:
    """`valetkey serve` in this process, for starts that are refused: exit code and what was said on stderr."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for name in [name for name in os.environ if name.startswith("VALETKEY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))

    def run_serve(*arguments: str) -> tuple[int, str]:
        started_after_all = threading.Timer(_REFUSED_BY, os.kill, (os.getpid(), signal.SIGTERM))
        started_after_all.start()
        try:
            code = run(["serve", *arguments])
        finally:
            started_after_all.cancel()
        return code, capsys.readouterr().err

    yield run_serve
    for number, handler in before.items():
        signal.signal(number, handler)


def check_refusal(answer: tuple[int, str], *words: str) -> None:
    code, said = answer
    assert code == 78
    sentence, hint = said.splitlines()
    assert sentence.startswith("valetkey: ")
    assert sentence.endswith(".")
    assert hint.startswith("  ")
    for word in words:
        assert word in said


# --- a first start ------------------------------------------------------------------------------------------------


def test_with_the_vault_in_a_process_of_its_own_it_starts_and_stops_in_the_same_words(home: Path) -> None:
    process = start(home, "--vault", "process")
    said = first_words(process)
    beside = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]

    assert Path(said["root key"]).exists()
    assert len(beside) == 2
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (0, "", "")
    assert not any(Path(f"/proc/{pid}").exists() for pid in beside)
    assert list((home / "data" / "run").iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the Linux kernel")
def test_a_hub_that_aborts_leaves_no_core_dump(home: Path) -> None:
    """T10 for the hub that has its vault inside."""
    hub = start(home)
    key = Path(first_words(hub)["root key"]).read_bytes()
    assert resource.prlimit(hub.pid, resource.RLIMIT_CORE) == (0, 0)

    hub.send_signal(signal.SIGABRT)
    _pid, status = os.waitpid(hub.pid, 0)
    out, err = hub.communicate(timeout=60)

    assert (os.WTERMSIG(status), os.WCOREDUMP(status)) == (signal.SIGABRT, False)
    assert [path.name for path in home.rglob("core*")] == []
    for spelling in (key, key.hex().encode(), base64.b64encode(key)):
        assert spelling.decode("latin-1") not in out + err


def test_a_vault_that_refuses_to_open_refuses_the_start_from_its_own_process_too(home: Path, serve: Serve) -> None:
    key = home / "root.key"
    key.write_bytes(b"x" * 32)
    key.chmod(0o644)

    answer = serve("--data", str(home / "data"), "--root-key", str(key), "--port", "0", "--vault", "process")

    check_refusal(answer, "root.key", "0644")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--vault", "outside", "no place for one"), ("--workers", "2", "more than one are not there yet")],
)
def test_another_place_for_the_vault_or_more_workers_are_refused(
    home: Path, serve: Serve, option: str, value: str, words: str
) -> None:
    check_refusal(serve("--data", str(home / "data"), option, value), words)


def test_a_first_start_makes_a_key_outside_the_data_and_says_so(home: Path) -> None:
    process = start(home)
    said = first_words(process)

    key = Path(said["root key"])
    assert stat.S_IMODE((home / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert not key.is_relative_to(home / "data")
    assert any("Back it up now, apart from the data" in line for line in said)
    assert said["ready"].startswith("http://localhost:")
    assert said["sign in"].startswith(f"{said['ready']}/signin/link/vkl_")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)

    # Told to stop, it closes what it opened and says nothing more.
    assert (process.returncode, out, err) == (0, "", "")
    assert not (home / "data/control.sock").exists()
    assert not (home / "data/valetkey.db-wal").exists()

    # A second start uses the same key, and does not call it new.
    again = start(home)
    said_again = first_words(again)
    assert said_again["root key"] == said["root key"]
    assert not any("Back it up" in line for line in said_again)
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=60)
    assert again.returncode == 0


def test_a_second_hub_on_the_same_data_does_not_start(running_hub: RunningHub) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "valetkey", "serve", "--port", "0"],
        env=running_hub.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    check_refusal((done.returncode, done.stderr), "Another hub is running", running_hub.environment["VALETKEY_DATA"])


def test_another_key_than_the_one_the_data_was_sealed_under_is_refused(home: Path, serve: Serve) -> None:
    process = start(home)
    key = Path(first_words(process)["root key"])
    process.terminate()
    process.communicate(timeout=60)
    other = home / "other"
    other.mkdir(mode=0o700)
    wrong = other / "root.key"
    wrong.touch(mode=0o600)
    wrong.write_bytes(bytes(reversed(key.read_bytes())))

    check_refusal(serve("--data", str(home / "data"), "--port", "0", "--root-key", str(wrong)), "key")

    key.unlink()
    check_refusal(serve("--data", str(home / "data"), "--port", "0"), str(key), "missing")


# --- refusals -----------------------------------------------------------------------------------------------------


def test_a_key_below_the_data_directory_is_refused(home: Path, serve: Serve) -> None:
    data = home / "data"

    check_refusal(serve("--data", str(data), "--port", "0", "--root-key", str(data / "root.key")), "lies below")


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o777])
def test_a_data_directory_that_others_can_enter_is_refused(home: Path, serve: Serve, mode: int) -> None:
    data = home / "data"
    data.mkdir()
    data.chmod(mode)

    check_refusal(serve("--data", str(data)), f"{mode:04o}", f"chmod 700 {data}")


def test_a_data_directory_that_is_no_directory_is_refused(home: Path, serve: Serve) -> None:
    (home / "file").write_text("")

    check_refusal(serve("--data", str(home / "file")), "is not a directory")
    check_refusal(serve("--data", str(home / "file/data")), str(home / "file/data"))


def test_a_data_directory_that_cannot_be_written_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, whom no mode keeps out; so the system is asked in its stead."""
    (home / "data").mkdir(mode=0o700)
    monkeypatch.setattr(os, "access", lambda _path, _how: False)

    with pytest.raises(StartRefused, match="cannot be written"):
        check_data_directory(home / "data")


def test_a_data_directory_in_a_place_that_is_not_ours_is_refused(serve: Serve) -> None:
    """/proc takes no directory from anybody, root included."""
    check_refusal(serve("--data", "/proc/valetkey-data"), "cannot be made")


def test_a_data_directory_of_another_user_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "data").mkdir(mode=0o700)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)

    with pytest.raises(StartRefused, match="belongs to another user"):
        check_data_directory(home / "data")


def test_a_lock_that_is_a_link_is_not_followed(home: Path, serve: Serve) -> None:
    (home / "data").mkdir(mode=0o700)
    (home / "data/lock").symlink_to(home / "elsewhere")

    check_refusal(serve("--data", str(home / "data")), "cannot be written")

    assert not (home / "elsewhere").exists()


def test_a_port_in_use_is_refused_and_leaves_no_key_behind(home: Path, serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        check_refusal(serve("--data", str(home / "data"), "--port", str(port)), f"Port {port}", "--port")

    assert not (home / ".config").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--public-url", "https://hub.example.com/valetkey"], "has a path"),
        (["--public-url", "http://hub.example.com"], "is not https"),
        (["--host", "0.0.0.0"], "needs an https public URL"),
        (["--host", "192.0.2.1", "--public-url", "https://hub.example.com"], "is not an address of this machine"),
        (["--host", "no such host", "--public-url", "https://hub.example.com"], "cannot be found"),
        (["--port", "seventy"], "is not a number"),
        (["--allow-network", "lan"], "is not a network"),
        (["--port", "0", "--database", "mysql://h/d"], "not supported"),
    ],
)
def test_settings_that_cannot_work_are_refused(home: Path, serve: Serve, arguments: list[str], words: str) -> None:
    check_refusal(serve("--data", str(home / "data"), *arguments), words)


def test_a_data_directory_whose_socket_would_have_too_long_a_path_is_refused(home: Path, serve: Serve) -> None:
    check_refusal(serve("--data", str(home / ("x" * 110)), "--port", "0"), "too long")


# --- the parts ----------------------------------------------------------------------------------------------------


def test_the_lock_is_held_as_long_as_the_hub_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with holding_data_directory(data):
        assert is_held(data)
        with pytest.raises(StartRefused, match="Another hub"), holding_data_directory(data):
            pass

    assert not is_held(data)


def test_port_0_takes_a_free_port_and_the_public_url_follows(tmp_path: Path) -> None:
    settings = load_settings({"data": str(tmp_path), "port": "0"}, environment={})

    listening, taken = listen(settings)

    with listening:
        assert taken.port == listening.getsockname()[1] != 0
        assert taken.public_url == f"http://localhost:{taken.port}"


def test_a_public_url_that_was_given_stays(tmp_path: Path) -> None:
    given: Settings = replace(
        load_settings({"data": str(tmp_path), "port": "0"}, environment={}), public_url="https://hub.example.com"
    )

    listening, taken = listen(given)

    with listening:
        assert taken.public_url == "https://hub.example.com"


def test_the_commands_environment_is_kept_out_of_the_tests(home: Path) -> None:
    assert [name for name in environment(home) if name.startswith("VALETKEY_")] == ["VALETKEY_DATA"]
