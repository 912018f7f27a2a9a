"""Every command explains itself, prints JSON where it prints data, and stands in the reference."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from tests.cli.reference import PAGE, commands, help_of, page
from valetkey.cli.main import COMMANDS, run

ALL = dict(commands())
PRINT_NO_DATA = {
    "valetkey org decline",
    "valetkey org domain remove",
    "valetkey org feed remove",
    "valetkey org provisioning revoke-token",
    "valetkey org sign-in remove",
    "valetkey org sign-in untie",
    "valetkey org withdraw",
    "valetkey serve",
    "valetkey demo",
    "valetkey token revoke",
    "valetkey connection report",
    "valetkey connector remove",
    "valetkey connector key",
    "valetkey connector block",
    "valetkey connector set",
    "valetkey connector enable",
    "valetkey connector takedown",
    "valetkey submission agree",
    "valetkey submission prove",
    "valetkey submission account",
    "valetkey submission answer",
    "valetkey submission picture",
    "valetkey submission contact",
    "valetkey desk ask",
    "valetkey desk takedown",
    "valetkey desk name",
    "valetkey desk dismiss",
    "valetkey policy remove",
    "valetkey approval revoke",
    "valetkey profile remove",
    "valetkey trail watch-key",
    "valetkey key recovery-kit",  # on a terminal only
}
PRINT_JSON_ANYWAY = {"valetkey trail export", "valetkey data training-export"} | {
    f"valetkey trail prove {what}" for what in ("call", "event", "consistency")
}


@pytest.mark.parametrize("name", ALL)
def test_a_command_has_a_sentence_and_every_option_too(name: str) -> None:
    command = ALL[name]

    assert (command.help or "").strip().endswith((".", "'.", "}'."))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
    assert "--help" in help_of(name, command)


@pytest.mark.parametrize("name", sorted(ALL.keys() - PRINT_NO_DATA - PRINT_JSON_ANYWAY))
def test_a_command_that_prints_data_prints_json_too(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in ALL[name].params)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_command_says_of_itself(name: str) -> None:
    command = COMMANDS[name].load()

    assert command.name == name
    assert (command.help or "").partition("\n")[0] == COMMANDS[name].line


def test_the_reference_has_every_command_as_it_is() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.cli.reference"


@pytest.mark.parametrize("arguments", [[], ["user"], ["connection"]])
def test_without_a_verb_the_verbs_are_listed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2

    assert "Commands:" in capsys.readouterr().err


def test_help_is_answered_without_loading_what_commands_need() -> None:
    """0.12 s is the aim: what costs time is importing, so nothing heavy may be imported for a help page."""
    heavy = (
        "{'sqlalchemy', 'fastapi', 'pydantic', 'cryptography', 'httpx2', 'httpcore2', 'rich', 'http.client', 'asyncio'}"
    )
    program = (
        "import sys; from valetkey.cli.main import run; run(['--help']); "
        f"print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"
