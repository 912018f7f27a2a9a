"""Checkpoints as commits, pushed to a git repository somewhere else (git's smart HTTP protocol, gitprotocol-pack).

Each commit holds one file, `checkpoint`; the history is the list of them. A server that refuses forced pushes keeps it
even from who has the credentials.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from valetkey.audit.checkpoint_repository import KeptCheckpoint
from valetkey.audit.sinks import Means
from valetkey.audit.sinks.address import Address
from valetkey.kernel.errors import BadInput, OutboundFailed
from valetkey.net.model import BadAnswer, Fetched, Url

_NONE = "0" * 40
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,100}")
_HASH = re.compile(r"[0-9a-f]{40}")
_COMMIT, _TREE, _BLOB = 1, 2, 3
_NAMES = {_COMMIT: b"commit", _TREE: b"tree", _BLOB: b"blob"}


class GitSink:
    """`git+https://host/repository.git[?branch=main][&credentials=FILE]`."""

    def __init__(self, address: Address, means: Means) -> None:
        self.name = address.name
        self._address = address
        self._web = means.web
        self._base = f"{address.kind.removeprefix('git+')}://{address.place}{address.path.rstrip('/')}"
        self._parse_url = means.parse_url
        branch = address.options.get("branch", "main")
        if not _BRANCH.fullmatch(branch) or ".." in branch:
            raise BadInput("A git sink's branch is a plain name.", field="trail_sink")
        self._ref = f"refs/heads/{branch}"
        self._url("/info/refs")

    async def send(self, checkpoint: KeptCheckpoint) -> None:
        headers = self._headers()
        # 1. Where does the branch stand?
        listing = await self._web.get(self._url("/info/refs?service=git-receive-pack"), headers=headers)
        before = _find(_checked(listing, self.name), self._ref)
        # 2. One commit on top of it.
        pushed = commit(checkpoint, before)
        update = f"{before} {pushed.id} {self._ref}\0 report-status agent=valetkey\n".encode()
        # 3. Hand it over, if the branch still stands there.
        answer = await self._web.post(
            self._url("/git-receive-pack"),
            body=_packet(update) + b"0000" + pushed.pack,
            content_type="application/x-git-receive-pack-request",
            headers=headers,
        )
        said = list(_packets(_checked(answer, self.name)))
        if b"unpack ok" not in said or f"ok {self._ref}".encode() not in said:
            raise OutboundFailed(f"{self.name} did not take the commit.", hint="May these credentials push there?")

    def _headers(self) -> dict[str, str]:
        name, secret = self._address.credentials()
        basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
        return {"accept": "*/*"} | ({"authorization": f"Basic {basic}"} if name else {})

    def _url(self, path: str) -> Url:
        return self._parse_url(self._base + path, what="git sink")


@dataclass(frozen=True, slots=True)
class Commit:
    """Its id, and a pack with it and what it holds."""

    id: str
    pack: bytes


def commit(checkpoint: KeptCheckpoint, parent: str) -> Commit:
    """The same checkpoint on the same parent is the same commit."""
    blob = checkpoint.note.encode()
    tree = b"100644 checkpoint\0" + bytes.fromhex(_id(_BLOB, blob))
    at = f"Valetkey <valetkey@localhost> {int(checkpoint.at.timestamp())} +0000"
    lines = [f"tree {_id(_TREE, tree)}", *([f"parent {parent}"] if parent != _NONE else [])]
    lines += [f"author {at}", f"committer {at}", ""]
    lines += [f"Checkpoint {checkpoint.number} over {checkpoint.size} records", ""]
    written = "\n".join(lines).encode()
    objects = ((_COMMIT, written), (_TREE, tree), (_BLOB, blob))
    pack = b"PACK" + struct.pack(">II", 2, len(objects)) + b"".join(_packed(kind, body) for kind, body in objects)
    return Commit(_id(_COMMIT, written), pack + _sha1(pack).digest())


def _packed(kind: int, body: bytes) -> bytes:
    """Kind and size, seven bits to a byte after the first four, and the body."""
    size = len(body)
    head, size = [kind << 4 | size & 15], size >> 4
    while size:
        head[-1] |= 128
        head.append(size & 127)
        size >>= 7
    return bytes(head) + zlib.compress(body)


def _id(kind: int, body: bytes) -> str:
    return _sha1(b"%s %d\0" % (_NAMES[kind], len(body)) + body).hexdigest()


def _sha1(data: bytes) -> hashlib._Hash:
    return hashlib.sha1(data, usedforsecurity=False)  # git's names for things; our signature is in the note


def _packet(line: bytes) -> bytes:
    return b"%04x%s" % (len(line) + 4, line)


def _packets(body: bytes) -> Iterator[bytes]:
    """The lines of an answer, without their line breaks. Raises `BadAnswer`."""
    at = 0
    while at < len(body):
        try:
            length = int(body[at : at + 4], 16)
        except ValueError:
            raise BadAnswer("The git server's answer is malformed.") from None
        if 0 < length < 4 or at + length > len(body):
            raise BadAnswer("The git server's answer is malformed.")
        if length:
            yield body[at + 4 : at + length].rstrip(b"\n")
        at += length or 4


def _find(body: bytes, ref: str) -> str:
    """What `ref` stands at; zeros when there is no such branch yet."""
    for line in _packets(body):
        found, _, name = line.partition(b"\0")[0].decode(errors="replace").partition(" ")
        if name == ref and _HASH.fullmatch(found):
            return found
    return _NONE


def _checked(answer: Fetched, name: str) -> bytes:
    if answer.status != 200:
        raise OutboundFailed(f"{name} answered with status {answer.status}.", hint="May these credentials push there?")
    return answer.body
