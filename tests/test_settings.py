"""Settings: where they come from, and each sentence with which one is refused."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType

import pytest

from valetkey.kernel.errors import StartRefused
from valetkey.settings import Settings, load_settings


def load(tmp_path: Path, environment: Mapping[str, str] = MappingProxyType({}), /, **flags: object) -> Settings:
    return load_settings({"data": str(tmp_path), **flags}, environment=environment)


def test_with_nothing_set_the_hub_is_for_this_machine_only(tmp_path: Path) -> None:
    settings = load(tmp_path)

    assert (settings.host, settings.port) == ("127.0.0.1", 8484)
    assert settings.public_url == "http://localhost:8484"
    assert not settings.is_public
    assert settings.allow_network == ()
    assert settings.root_key == ""


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "valetkey.toml").write_text('port = 1\nhost = "::1"\ndatabase = "sqlite:///file"\n')
    environment = {"VALETKEY_PORT": "2", "VALETKEY_HOST": "localhost"}

    settings = load(tmp_path, environment, port="3")

    assert (settings.port, settings.host, settings.database) == (3, "localhost", "sqlite:///file")


def test_an_option_that_was_not_given_does_not_hide_what_is_set_elsewhere(tmp_path: Path) -> None:
    settings = load(tmp_path, {"VALETKEY_PORT": "2"}, port=None, allow_network=(), public_url="")

    assert settings.port == 2


def test_the_data_directory_can_be_named_in_the_environment(tmp_path: Path) -> None:
    assert load_settings({}, environment={"VALETKEY_DATA": str(tmp_path)}).data == tmp_path


def test_every_setting_has_a_sentence_of_its_own() -> None:
    source = Path(inspect.getfile(Settings)).read_text()

    for field in fields(Settings):
        _, _, after = source.partition(f"    {field.name}: ")
        assert after.partition("\n")[2].lstrip().startswith('"""'), field.name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://hub.example.com", "https://hub.example.com"),
        ("https://Hub.Example.com/", "https://hub.example.com"),
        ("https://hub.example.com:443", "https://hub.example.com"),
        ("https://hub.example.com:8443", "https://hub.example.com:8443"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8484", "http://[::1]:8484"),
    ],
)
def test_the_public_url_is_kept_in_one_spelling(tmp_path: Path, given: str, expected: str) -> None:
    assert load(tmp_path, public_url=given).public_url == expected


def test_networks_are_read_from_each_place(tmp_path: Path) -> None:
    (tmp_path / "valetkey.toml").write_text('allow_network = ["10.0.0.0/8", "fd00::/8"]\n')
    in_file = load(tmp_path).allow_network
    in_environment = load(tmp_path, {"VALETKEY_ALLOW_NETWORK": "10.0.0.0/8, fd00::/8"}).allow_network
    on_command_line = load(tmp_path, allow_network=("10.0.0.0/8", "fd00::/8")).allow_network

    assert in_file == in_environment == on_command_line == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"port": "http"}, "is not a number from 0 to 65535"),
        ({"port": "65536"}, "is not a number from 0 to 65535"),
        ({"port": "-1"}, "is not a number from 0 to 65535"),
        ({"search_above": "many"}, "which is no number"),
        ({"search_above": "-1"}, "which is no number"),
        ({"keep_contents": "0"}, "keep_contents is 0 days"),
        ({"keep_at_most": "30"}, "kept 365 days, and organizations may say 30"),
        ({"keep_calls": "2191"}, "keep_calls is 2191 days"),
        ({"keep_contents": "90", "keep_calls": "30"}, "kept 90 days, and their records 30"),
        ({"host": "0.0.0.0"}, "needs an https public URL"),
        ({"host": "192.168.1.2"}, "needs an https public URL"),
        ({"host": "0.0.0.0", "public_url": "http://localhost:8484"}, "needs an https public URL"),
        ({"public_url": "https://hub.example.com/valetkey"}, "has a path"),
        ({"public_url": "https://hub.example.com/?a=b"}, "has a path"),
        ({"public_url": "https://hub.example.com#a"}, "has a path"),
        ({"public_url": "http://hub.example.com"}, "is not https"),
        ({"public_url": "ftp://hub.example.com"}, "is not an http or https URL"),
        ({"public_url": "hub.example.com"}, "is not an http or https URL"),
        ({"public_url": "https://"}, "is not an http or https URL"),
        ({"public_url": "https://user@hub.example.com"}, "is not an http or https URL"),
        ({"public_url": "https://hub.example.com:port"}, "is not an http or https URL"),
        ({"allow_network": ("10.0.0.1/8",)}, "is not a network in CIDR form"),
        ({"allow_network": ("everything",)}, "is not a network in CIDR form"),
    ],
)
def test_what_cannot_work_is_refused_in_words(tmp_path: Path, flags: dict[str, object], message: str) -> None:
    with pytest.raises(StartRefused, match=message) as refusal:
        load(tmp_path, **flags)

    assert refusal.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"port = ", "is not valid TOML"),
        (b"\xff", "is not valid TOML"),
        (b"prot = 1\n", "unknown setting: prot"),
        (b"[port]\n", "is not a number from 0 to 65535"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "valetkey.toml").write_bytes(content)

    with pytest.raises(StartRefused, match=message):
        load(tmp_path)


def test_a_local_server_is_said_in_the_file_with_its_command_and_what_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "valetkey.toml").write_text(
        '[local_servers.time]\ncommand = ["mcp-server-time", "--local-timezone", "UTC"]\npass = ["TZ", "NOT_SET"]\n'
    )

    settings = load_settings({"data": tmp_path}, environment={"TZ": "UTC", "SECRET": "canary"})

    [server] = settings.local_servers
    assert (server.name, server.command) == ("time", ("mcp-server-time", "--local-timezone", "UTC"))
    assert server.environment == {"TZ": "UTC"}


def test_no_flag_and_no_variable_starts_a_program(tmp_path: Path) -> None:
    said = {"evil": {"command": ["sh"]}}

    settings = load_settings(
        {"data": tmp_path, "local_servers": said}, environment={"VALETKEY_LOCAL_SERVERS": "evil=sh -c id"}
    )

    assert settings.local_servers == ()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('local_servers = "sh"', "is no table"),
        ('[local_servers.time]\ncommand = "mcp-server-time"', "is not said as it must be"),
        ("[local_servers.time]\ncommand = []", "is not said as it must be"),
        ('[local_servers.time]\ncommand = ["a", 1]', "is not said as it must be"),
        ('[local_servers.time]\ncommand = ["a"]\nshell = true', "is not said as it must be"),
        ('[local_servers."Not Fit"]\ncommand = ["a"]', "cannot stand in an address"),
        ('[local_servers.a-name-that-is-too-long]\ncommand = ["a"]', "cannot stand in an address"),
        ('[local_servers.time]\ncommand = ["a"]\npass = ["VALETKEY_DATABASE"]', "would be given VALETKEY_DATABASE"),
    ],
)
def test_a_local_server_that_is_not_said_well_is_refused_by_name(tmp_path: Path, written: str, message: str) -> None:
    (tmp_path / "valetkey.toml").write_text(written)

    with pytest.raises(StartRefused, match=message):
        load_settings({"data": tmp_path}, environment={})


def test_calls_are_kept_for_stated_times(tmp_path: Path) -> None:
    settings = load(tmp_path)
    said = load(tmp_path, keep_contents="60", keep_calls="90", keep_at_most="400")

    assert (settings.keep_contents, settings.keep_calls, settings.keep_at_most) == (30, 365, 2190)
    assert (said.keep_contents, said.keep_calls, said.keep_at_most) == (60, 90, 400)
