"""A secret does not show itself by accident."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback

import pytest

from valetkey.kernel.errors import printable
from valetkey.kernel.ids import new_id, new_token
from valetkey.kernel.secret import Secret

CANARY = "canary-7f3a9c"


@pytest.mark.parametrize(
    "show",
    [str, repr, "{}".format, "{!r}".format, "{:>40}".format, lambda s: f"{s}", lambda s: f"{s!s}", lambda s: "%s" % s],  # noqa: UP031
)
def test_a_secret_is_shown_by_no_way_of_formatting(show: object) -> None:
    assert callable(show)

    assert CANARY not in show(Secret(CANARY))


def test_a_secret_is_not_in_a_log_line_or_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    logging.getLogger("test").warning("using %s", secret)
    try:
        raise ValueError(secret)
    except ValueError as error:
        shown = "".join(traceback.format_exception(error))

    assert CANARY not in caplog.text + shown


@pytest.mark.parametrize("copier", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_not_copied_by_machinery(copier: object) -> None:
    assert callable(copier)

    with pytest.raises(TypeError):
        copier(Secret(CANARY))


def test_a_secret_is_no_dictionary_key() -> None:
    with pytest.raises(TypeError):
        hash(Secret(CANARY))


def test_wiping_leaves_nothing_to_reveal() -> None:
    secret = Secret(CANARY)

    secret.wipe()

    assert secret.reveal() == b""
    assert not secret


def test_two_secrets_are_equal_when_their_bytes_are() -> None:
    assert Secret("a") == Secret(b"a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_identifiers_sort_by_time_and_tokens_carry_256_bits() -> None:
    first, second = new_id("call"), new_id("call")

    assert first[:15] <= second[:15]
    assert len(first) == len("call_") + 26
    assert len(new_token("vkt")) >= len("vkt_") + 43


def test_text_from_outside_becomes_one_bounded_printable_line() -> None:
    shown = printable("a\r\nb\x1b[31m\u202e" + "x" * 1000)

    assert shown.isprintable()
    assert len(shown) <= 201
