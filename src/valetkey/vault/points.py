"""Where a process can be cut off while keys are exchanged: each is played with `kill -9` in the tests (T43)."""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """What has just been done when a point is reached."""

    ROTATE_ROOT_MADE = "rotate.root_made"  # the provider has a newer one, and the keyring has no number for it
    ROTATE_ROOT_NUMBERED = "rotate.root_numbered"
    ROTATE_TENANT_MADE = "rotate.tenant_made"
    ROTATE_CANARY_MOVED = "rotate.canary_moved"
    ROTATE_TENANT_KEYS_MOVED = "rotate.tenant_keys_moved"
    ROTATE_DATA_KEYS_MOVED = "rotate.data_keys_moved"  # one batch of them
    ROTATE_OLDER_DESTROYED = "rotate.older_destroyed"
    ROTATE_LOG_EMPTIED = "rotate.log_emptied"
