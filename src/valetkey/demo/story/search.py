"""Looking for a secret in files, in every way it could have been written down."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from valetkey.demo.story.hub import expect


def spellings(secret: str | bytes) -> dict[str, bytes]:
    """How `secret` looks as it is, in hex, in JSON, in UTF-16 and in base64 at each of the three alignments."""
    raw = secret.encode() if isinstance(secret, str) else secret
    text = raw.decode("latin-1")  # one character for each byte, so that any key can be spelled
    spelled = {
        "raw": raw,
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "json": "".join(f"\\u{ord(char):04x}" for char in text).encode(),
        "percent": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "utf-16": text.encode("utf-16-le"),
        "reversed": raw[::-1],
    }
    for shift in range(3):
        # What stands before it moves the secret by 0, 1 or 2 bytes; characters it shares with its neighbors are cut.
        encoded = base64.b64encode(b"\0" * shift + raw)[(shift * 8 + 5) // 6 : (shift + len(raw)) * 8 // 6]
        spelled[f"base64+{shift}"] = encoded
        spelled[f"base64url+{shift}"] = encoded.replace(b"+", b"-").replace(b"/", b"_")
    return spelled


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def find(secrets: Iterable[str | bytes], files: Iterable[Path]) -> list[str]:
    """Where any of `secrets` was found, as `file: spelling`; empty when none was."""
    needles = [(name, needle) for secret in secrets for name, needle in spellings(secret).items()]
    found = []
    for path in files:
        content = path.read_bytes()
        found += [f"{path.name}: {name}" for name, needle in needles if needle in content]
    return found


def nowhere(secrets: Sequence[str], files: Sequence[Path]) -> str:
    """Sees that none of `secrets` is in any of `files`."""
    found = find(secrets, files)
    expect(not found, f"found in {', '.join(found)}")
    size = sum(path.stat().st_size for path in files)
    return f"{len(secrets)} secrets in {len(spellings('x'))} spellings: not in {len(files)} files, {size:,} bytes"
