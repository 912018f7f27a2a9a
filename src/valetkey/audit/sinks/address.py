"""A sink's address, taken apart: `file:`, `syslog:`, `s3:` or `git+https:`."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from valetkey.audit.sinks import Means, Sink
from valetkey.kernel.errors import BadInput, StartRefused

KINDS = ("file", "syslog", "syslog+tcp", "s3", "git+https", "git+http")


@dataclass(frozen=True, slots=True)
class Address:
    """`kind://place/path?options`; `name` is it without the options."""

    name: str
    kind: str
    place: str
    path: str
    options: dict[str, str]

    def credentials(self) -> tuple[str, str]:
        """Name and secret of the file that `credentials` names, two words; read each time, so that they can be changed.

        Raises `BadInput`.
        """
        given = self.options.get("credentials", "")
        if not given:
            return "", ""
        try:
            descriptor = os.open(given, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with os.fdopen(descriptor) as file:
                is_open = stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077
                words = file.read(4096).split()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"The credentials file of {self.name} cannot be read.", field="credentials") from error
        if is_open:
            raise BadInput(f"The credentials file {given} is open to others.", hint=f"chmod 600 {given}")
        if len(words) != 2:
            raise BadInput(f"The credentials file {given} does not hold two words: a name and a secret.")
        return words[0], words[1]


def open_sinks(addresses: Sequence[str], means: Means, *, forbidden_below: Path) -> tuple[Sink, ...]:
    """The sinks at these addresses. Raises `StartRefused` for one that cannot be."""
    try:
        return tuple(_open(read_address(text), means, forbidden_below) for text in addresses)
    except BadInput as error:
        raise StartRefused(f"--trail-sink: {error.message}", hint=error.hint) from error


def read_address(text: str) -> Address:
    """Raises `BadInput`."""
    try:
        parts = urlsplit(text)
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError as error:
        raise BadInput("A sink's address cannot be read.", field="trail_sink") from error
    if parts.scheme not in KINDS:
        raise BadInput(f"A sink's address begins with one of {', '.join(KINDS)}.", field="trail_sink")
    if "@" in parts.netloc:
        raise BadInput(
            "A sink's address holds a name or password.", hint="Put them into a file, and name it: ?credentials=FILE."
        )
    name = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if len(name) > 300 or not name.isprintable():
        raise BadInput("A sink's address is too long, or not printable.", field="trail_sink")
    return Address(name, parts.scheme, parts.netloc, parts.path, options)


def _open(address: Address, means: Means, forbidden_below: Path) -> Sink:
    from valetkey.audit.sinks.file import FileSink
    from valetkey.audit.sinks.git import GitSink
    from valetkey.audit.sinks.s3 import S3Sink
    from valetkey.audit.sinks.syslog import SyslogSink

    if address.kind == "file":
        return FileSink(address, forbidden_below=forbidden_below)
    if address.kind == "s3":
        return S3Sink(address, means)
    if address.kind.startswith("git+"):
        return GitSink(address, means)
    return SyslogSink(address, means)
