"""Asking for the vault's passphrase: on the terminal itself, never from a pipe or an argument."""

from __future__ import annotations

import getpass
import os

from valetkey.kernel.errors import StartRefused
from valetkey.kernel.secret import Secret


def ask_for_passphrase(question: str) -> Secret:
    """What the person types, unseen. Raises `StartRefused` when there is no terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:  # getpass would read from the standard input then, in clear
        raise StartRefused(
            "There is no terminal to ask for the passphrase on.",
            hint="Start the hub on one, or hand the passphrase over: --root-key passphrase:fd:3",
        ) from error
    return Secret(getpass.getpass(f"{question}: "))


def ask_for_new_passphrase(question: str) -> Secret:
    """As above, typed twice. Raises `StartRefused` when the two differ."""
    first, second = ask_for_passphrase(question), ask_for_passphrase("Once more")
    if first != second:
        raise StartRefused("The two are not the same.", hint="Try again.")
    return first
