"""A credential is taken out wherever it stands in a large answer, and however widely it is written (T18)."""

from __future__ import annotations

import pytest

from valetkey.net.cleaned import cleaned
from valetkey.net.model import Answer
from valetkey.vault.echo import echo_of

VALUE = b"0123456789abcdef" * 60
WIDEST = b"".join(b"\\u0025\\u00%02x\\u00%02x" % tuple(b"%02x" % byte) for byte in VALUE)
"""In hex behind percent signs, and each of their characters by its number: 18 bytes for one."""


class Promised:
    """A ticket's name, as a worker has it: shorter than the value, and knowing how that would look."""

    origin, size = "https://notes.example", 60
    echo = echo_of(bytearray(VALUE))

    def write_into(self, buffer: memoryview) -> None:
        """Nothing is sent here."""

    def masked(self, data: bytes) -> bytes:
        return self.echo.masked(data)


@pytest.mark.parametrize("written", [VALUE, WIDEST])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_credential_is_found_across_any_place_of_a_large_answer(written: bytes, share: float) -> None:
    begin = 131_072 - int(len(written) * share)
    body = b'"' + b" " * begin + written + b" " * 200_000 + b'"'

    answer = cleaned(Answer(200, {}, b"application/json", body, None), Promised())

    assert written not in answer.body
    assert len(answer.body) < len(body)
