"""A root key file that could be anybody's, or nobody's, refuses the start, and says which it is (T06)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from valetkey.kernel.errors import StartRefused
from valetkey.vault.model import Tampered, WrongKey
from valetkey.vault.root_keys.file import FileRootKey, open_or_create

KEY = bytes(range(1, 200, 6))[:32]


def place(tmp_path: Path) -> Path:
    """A good key in a good place; each bad state below changes one thing."""
    directory = tmp_path / "keys"
    directory.mkdir(mode=0o700)
    path = directory / "root.key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return path


def others_may_read(path: Path) -> None:
    path.chmod(0o644)


def owner_may_only_read(path: Path) -> None:
    path.chmod(0o400)


def symbolic_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def named_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def unix_socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def too_short(path: Path) -> None:
    path.write_bytes(KEY[:31])


def too_long(path: Path) -> None:
    path.write_bytes(KEY + b"\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def all_zero(path: Path) -> None:
    path.write_bytes(bytes(32))


def placeholder(path: Path) -> None:
    path.write_bytes(b"__REPLACE_ME__REPLACE_ME__REPLACE")
    os.truncate(path, 32)


def second_name(path: Path) -> None:
    path.with_name("copy").hardlink_to(path)


def missing(path: Path) -> None:
    path.unlink()


def parent_writable(path: Path) -> None:
    path.parent.chmod(0o770)


def parent_is_a_file(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()
    path.parent.write_bytes(b"")


def nothing(path: Path) -> None:
    """The place itself is what is wrong."""


BAD_STATES: list[tuple[Callable[[Path], None], str]] = [
    (others_may_read, "mode 0644"),
    (owner_may_only_read, "mode 0400"),
    (symbolic_link, "symbolic link"),
    (directory, "is a directory"),
    (named_pipe, "not a regular file"),
    (unix_socket, "cannot be opened"),
    (too_short, "31 bytes long"),
    (too_long, "33 bytes long"),
    (empty, "is empty"),
    (all_zero, "one byte repeated"),
    (placeholder, "is text"),
    (second_name, "2 names"),
    (missing, "is missing"),
    (parent_writable, "Others may write in the directory"),
    (parent_is_a_file, "is not a directory"),
]


@pytest.mark.parametrize(("spoil", "says"), BAD_STATES, ids=[spoil.__name__ for spoil, _ in BAD_STATES])
def test_a_bad_root_key_refuses_the_start_and_says_what_to_do(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    path = place(tmp_path)
    spoil(path)

    with pytest.raises(StartRefused) as caught:
        open_or_create(path, forbidden_below=[tmp_path / "data"], may_create=False)

    assert says in caught.value.message
    assert caught.value.hint
    assert KEY.hex() not in str(caught.value)


def test_each_bad_state_has_its_own_sentence(tmp_path: Path) -> None:
    sentences = set()
    for number, (spoil, _) in enumerate(BAD_STATES):
        home = tmp_path / str(number)
        home.mkdir()
        path = place(home)
        spoil(path)
        with pytest.raises(StartRefused) as caught:
            open_or_create(path, forbidden_below=[], may_create=False)
        sentences.add(caught.value.message.replace(str(home), ""))

    assert len(sentences) == len(BAD_STATES) >= 12


@pytest.mark.parametrize("way", ["straight", "through a link", "with dots"])
def test_a_key_below_the_data_directory_is_refused_however_it_is_written(tmp_path: Path, way: str) -> None:
    path = place(tmp_path)
    (tmp_path / "link").symlink_to(path.parent)
    written = {
        "straight": path,
        "through a link": tmp_path / "link" / "root.key",
        "with dots": tmp_path / "other" / ".." / "keys" / "root.key",
    }[way]

    with pytest.raises(StartRefused, match="beside what it opens"):
        open_or_create(written, forbidden_below=[path.parent], may_create=True)


PROGRAM = """
import os, sys
from pathlib import Path
from valetkey.kernel.errors import StartRefused
from valetkey.vault.root_keys.file import open_or_create
os.setgid(65534), os.setuid(65534)  # after the imports: the interpreter's own files may be root's
try:
    print(open_or_create(Path(sys.argv[1]), forbidden_below=[], may_create=True).created)
except StartRefused as error:
    print(error.message)
"""


def what_nobody_is_told(path: Path) -> str:
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def test_a_key_of_another_user_is_refused(short_path: Path) -> None:
    path = place(short_path)
    os.chown(path, 12345, -1) if os.geteuid() == 0 else pytest.skip("needs root to give a file away")

    with pytest.raises(StartRefused, match="belongs to user 12345"):
        open_or_create(path, forbidden_below=[], may_create=False)


def test_a_key_the_hubs_user_cannot_read_is_refused(short_path: Path) -> None:
    path = place(short_path)
    path.parent.chmod(0o755)

    assert "cannot be read by the hub's user" in what_nobody_is_told(path)


def test_a_directory_the_hubs_user_cannot_look_into_is_refused(short_path: Path) -> None:
    path = place(short_path).parent / "inner" / "root.key"
    path.parent.mkdir()

    assert "cannot be looked into" in what_nobody_is_told(path)


def test_a_place_that_cannot_be_written_is_refused(short_path: Path) -> None:
    place(short_path).parent.chmod(0o755)

    assert "No root key could be written" in what_nobody_is_told(short_path / "keys" / "other.key")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory that other users can look into, as pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="vk-key-", dir="/tmp") as made:
        path = Path(made)
        path.chmod(0o755)
        yield path


def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    path = place(tmp_path)
    os.chown(path.parent, 12345, -1) if os.geteuid() == 0 else pytest.skip("needs root to give a directory away")

    with pytest.raises(StartRefused, match="belongs to another user"):
        open_or_create(path, forbidden_below=[], may_create=False)


def test_the_first_start_makes_a_key_that_only_the_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "config" / "valetkey" / "dep_1" / "root.key"
    path.parent.mkdir(parents=True)
    before = os.umask(0o277)  # takes even the owner's own rights away
    try:
        made = open_or_create(path, forbidden_below=[tmp_path / "data"], may_create=True)
    finally:
        os.umask(before)

    again = open_or_create(path, forbidden_below=[tmp_path / "data"], may_create=True)

    assert (made.created, again.created) == (True, False)
    assert made.key_id == again.key_id
    found = path.stat()
    assert (found.st_mode & 0o777, found.st_size, found.st_nlink) == (0o600, 32, 1)


def test_two_first_starts_make_two_different_keys(tmp_path: Path) -> None:
    keys = [open_or_create(tmp_path / name / "root.key", forbidden_below=[], may_create=True) for name in "ab"]

    assert keys[0].key_id != keys[1].key_id


async def test_a_wrapped_key_opens_for_its_context_and_its_root_key_only(tmp_path: Path) -> None:
    root, other = (open_or_create(tmp_path / name / "k", forbidden_below=[], may_create=True) for name in "ab")
    wrapped = await root.wrap(b"tenant key", context=b"org_1")

    assert await root.unwrap(wrapped, context=b"org_1") == b"tenant key"
    with pytest.raises(Tampered):
        await root.unwrap(wrapped, context=b"org_2")
    with pytest.raises(WrongKey):
        await other.unwrap(wrapped, context=b"org_1")
    assert await accepted_flips(root, wrapped) == 0


async def accepted_flips(root: FileRootKey, wrapped: bytes) -> int:
    accepted = 0
    for bit in range(len(wrapped) * 8):
        changed = bytearray(wrapped)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            await root.unwrap(bytes(changed), context=b"org_1")
        except (Tampered, WrongKey):
            continue
        accepted += 1
    return accepted
