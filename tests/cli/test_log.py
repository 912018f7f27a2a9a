"""The hub's log goes to standard error, and shows no variable of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from valetkey.cli.log import write_log_to_stderr


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_traceback_in_the_log_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    write_log_to_stderr()

    def fail(password: str) -> None:
        raise RuntimeError("something went wrong")

    try:
        fail("CAN" + "ARY")
    except RuntimeError as error:
        structlog.get_logger("test").error("failed", exc_info=error, where="here")

    said = capsys.readouterr()
    assert said.out == ""
    assert "RuntimeError: something went wrong" in said.err
    assert "where=here" in said.err
    assert "CANARY" not in said.err
