"""Calls that were begun and whose record has not come to the log: what journals of dead processes still hold."""

from __future__ import annotations

from pathlib import Path

import msgspec

from valetkey.audit.journal import left_behind, read_frames
from valetkey.audit.model import CallEnding, CallIntent

_decoder: msgspec.msgpack.Decoder[CallIntent | CallEnding] = msgspec.msgpack.Decoder(CallIntent | CallEnding)


def count_unfinished(directory: Path) -> int:
    """How many. A start of the hub replays the journals; one that is damaged counts as one call at least."""
    begun = 0
    with left_behind(directory) as paths:
        for path in [*paths, *directory.glob("*.damaged")]:
            frames, rest = read_frames(path.read_bytes())
            count = sum(_is_intent(frame) for frame in frames)
            begun += count or (1 if rest or path.suffix == ".damaged" else 0)
    return begun


def _is_intent(frame: bytes) -> bool:
    try:
        return isinstance(_decoder.decode(frame), CallIntent)
    except msgspec.MsgspecError:
        return True
