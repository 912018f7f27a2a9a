"""Passwords a guesser tries first. Short, since twelve characters already rule most of the famous lists out."""

from __future__ import annotations

import re

_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "qazwsxedcrfvtgbyhnujm",
    "!@#$%^&*()",
)
_WORDS = frozenset(
    {
        "password", "passwort", "motdepasse", "contraseña", "passphrase", "letmein", "welcome", "iloveyou", "admin",
        "administrator", "root", "owner", "changeme", "secret", "geheim", "dragon", "monkey", "football",
        "baseball", "basketball", "superman", "batman", "princess", "sunshine", "master", "shadow", "michael",
        "jennifer", "trustno", "login", "default", "valetkey", "connector", "hunter", "starwars", "pokemon",
        "whatever", "correcthorsebatterystaple"
    }
)  # fmt: skip
_LEET = str.maketrans("013457@$!", "oleastasi")
_NOT_LETTERS = re.compile(r"[\W\d_]+")
_DECORATION = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_FEWEST_DIFFERENT = 5


def is_common(password: str, *, login: str) -> bool:
    """Whether `password` is a famous one with decoration, a row of keys, a repetition, or little but the login."""
    lower = password.casefold()
    if len(set(lower)) < _FEWEST_DIFFERENT or _is_repetition(lower):
        return True
    if any(lower in row * 2 or lower in row[::-1] * 2 for row in _ROWS):
        return True
    own = _NOT_LETTERS.sub("", login.partition("@")[0])
    for text in (lower, _DECORATION.sub("", lower).translate(_LEET)):
        letters = _NOT_LETTERS.sub("", text)
        if letters in _WORDS or (_is_repetition(letters) and letters[: len(letters) // 2] in _WORDS):
            return True
        if len(own) > 2 and letters.replace(own, "") in ("", *_WORDS):
            return True
    return lower in (login, login * 2)


def _is_repetition(text: str) -> bool:
    """Whether the text is one shorter piece again and again: then it occurs in its own doubling, shifted."""
    return len(text) > 1 and text in (text + text)[1:-1]
