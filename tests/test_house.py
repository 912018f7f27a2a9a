"""The rules of the house that no tool knows: who may use which library, how files begin, what docs promise."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from itertools import pairwise, takewhile
from pathlib import Path

import pytest

from valetkey.settings import Settings

HERE = Path(__file__).resolve().parent.parent
SOURCE = HERE / "src/valetkey"

GUARDIANS: dict[str, tuple[str, ...]] = {
    # What is imported: by which files alone. A folder stands for all in it; `demo` is the outside world.
    # A root key on another machine is asked for there, and nowhere else; the hub may not even have started by then.
    "ssl httpx2 httpcore2 http.client urllib.request aiohttp": (
        "net/",
        "demo/",
        "cli/hub_client.py",
        "vault/root_keys/transit.py",
    ),
    "boto3 botocore": ("vault/root_keys/aws_kms.py",),
    "pkcs11": ("vault/root_keys/pkcs11.py",),
    "keyring": ("vault/root_keys/keyring.py",),
    "shamir_mnemonic": ("vault/recovery_kit.py",),
    "httptools": ("net/", "gateway/http_request.py"),  # the parser of answers, and that of requests on the call path
    # Out: net, and the command line to the hub on this host. In: the listeners, which are opened before the app.
    "socket": (
        "net/",
        "demo/",
        "cli/hub_client.py",
        "cli/start_checks.py",
        "app.py",
        "api/control_socket.py",
        "beside/",  # unix sockets between the processes of one hub
        "split/",
    ),
    # Of checkpoints, audit verifies what the vault signs: public keys. The passkey in software is the outside world.
    "cryptography": ("vault/", "audit/note.py", "demo/story/authenticator.py"),
    "dns": ("net/txt.py",),
    "argon2 webauthn joserfc": ("identity/signin/",),
    "sqlalchemy sqlite3 aiosqlite asyncpg alembic": (
        "store/",
        "**repository.py",
        "demo/story/keys_and_trail.py",  # the intruder who edits a copy of the database
    ),
    "jinja2 markupsafe": ("web/",),
    "starlette": ("app.py", "gateway/", "authserver/", "web/", "api/", "demo/"),
    "fastapi scim2_models": ("api/",),
    "uvicorn": ("app.py", "gateway/", "api/control_socket.py", "demo/"),
    "click rich": ("cli/", "__main__.py", "demo/"),
    "prometheus_client": ("app.py",),
    "valetkey.settings": ("app.py", "cli/", "__main__.py"),
    "subprocess multiprocessing": ("demo/", "cli/", "upstream/stdio.py"),  # the last: programs the operator declared
    "random": (),  # unpredictable numbers come from `secrets`
    "pickle marshal shelve": (),
    "requests httpx mcp fastmcp": (),  # development only, or superseded
}

REVEALED: dict[str, str] = {
    # Each file in which a Secret is opened, and why it must be. This is our list of risks.
    # A service's credential, on its way into the vault or to the one endpoint it is for:
    "review/visit.py": "the test account that a review was given, for the connector it is for",
    "vault/sealing.py": "to encrypt it",
    "vault/signing.py": "our key at an issuer, to sign who we are",
    "vault/root_keys/passphrase.py": "the vault's passphrase, to make the root key of it",
    "cli/key.py": "a new passphrase, from the terminal to the hub's control socket",
    "vault/broker.py": "defines `reveal_for_exchange`, the way out besides tickets, for named uses only",
    "connections/callback.py": "the code verifier, for the exchange it was made for",
    "connections/client_identity.py": "our client secret at an issuer",
    "connections/methods/header.py": "a header's value is checked before it is sealed",
    "connections/spooled.py": "new tokens, into the spool, where they are sealed",
    "connections/token_endpoint.py": "a refresh token, to refresh or to revoke",
    "oauth/authorization.py": "`state` is part of an address",
    "oauth/token.py": "our client secret, in HTTP Basic",
    "vault/trail_keys.py": "our own keys, to sign a checkpoint and to mark it",
    "net/smtp.py": "the operator's password at the mail server, for the one line it is in",
    "net/client.py": "a form field or header of the token endpoint becomes bytes",
    "split/desk.py": "the beginning of a refresh token, to see that no error repeats it",
    "split/vault_beside.py": "asks for parcels, which only the vault opens; a key of the log, to be made ready",
    "split/verbs.py": "what is revealed leaves the vault's process as a parcel",
    "vault/parcels.py": "to encrypt it for the vault itself; and a parcel, to see whether it is one",
    "vault/verbs.py": "declares `reveal_for_exchange`",
    # A secret of ours, shown once to whom it is for, or compared:
    "api/feeds.py": "the key of a webhook's signatures, once, for who runs it",
    "api/pages.py": "a one-time link, for who invites",
    "api/provisioning.py": "a new provisioning token, once, for who gives it to the organization's directory",
    "api/tokens.py": "a new personal token, for its owner",
    "api/trail_log.py": "the first value of a new watch key, once, for who keeps it off the host",
    "authserver/authorize.py": "a code, for the client",
    "authserver/register.py": "a client secret, for the client",
    "authserver/token.py": "tokens, for the client",
    "cli/hub_client.py": "the operator's own token becomes bytes",
    # Between the processes of one hub, which are one trust domain towards the vault:
    "beside/channel.py": "what a person typed, on its way to be sealed; out of the vault comes only what is boxed",
    "identity/signin/openid/id_token.py": "an ID token, to verify it: it says who somebody is, and opens nothing",
    "identity/signin/openid/sign_in.py": "our client secret at an organization's provider",
    "identity/signin/password.py": "to hash it",
    "web/person_invite.py": "a one-time link, for who invites",
    "web/feed_list.py": "the key of a webhook's signatures, once, for who runs it",
    "web/provisioning_list.py": "a new provisioning token, once, for who gives it to the organization's directory",
    "web/session_cookie.py": "the cookies, for the browser",
    "web/token_create.py": "a new personal token, for its owner",
}

LONG_FILES: dict[str, str] = {
    # Files beyond 350 lines, and why they are one file.
    "app.py": "all wiring on one page",
    "web/site.py": "every page of the site on one",
    "net/wire.py": "one connection's states are only understood together",
    "store/migrations/main/versions/0001_first.py": "the first migration makes all tables",
    "store/schema.py": "all tables on one page, so that one can see what is kept",
}


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the checkout that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(path for line in listed.stdout.splitlines() if (path := HERE / line).is_file())


def sources() -> Iterator[tuple[str, str]]:
    """Path below `src/valetkey` and text of every Python file of the product."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), path.read_text()


def rooms() -> list[str]:
    return sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))


@cache
def imported(text: str) -> tuple[str, ...]:
    return tuple(_imported(text))


def _imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_in(path: str, places: tuple[str, ...]) -> bool:
    return any(
        path.startswith(place) if place.endswith("/") else path == place or path.endswith(place.removeprefix("**"))
        for place in places
    )


@pytest.mark.parametrize("libraries", GUARDIANS)
def test_a_guarded_library_is_imported_only_by_its_guardians(libraries: str) -> None:
    strangers = [
        f"{path} imports {name}"
        for path, text in sources()
        if not is_in(path, GUARDIANS[libraries])
        for name in imported(text)
        if not name.startswith("sqlalchemy.exc")  # a verb may know that a row was there already
        and any(name == library or name.startswith(f"{library}.") for library in libraries.split())
    ]

    assert not strangers


def test_a_program_is_started_only_where_it_may_be_and_never_by_a_shell() -> None:
    """The operator declares programs (`upstream/stdio.py`); `asyncio` starts them without importing `subprocess`."""
    starting = re.compile(
        r"create_subprocess_\w+|\bos\.(?:system|popen|fork|exec\w+|spawn\w+|posix_spawn\w*)\(|shell=True"
    )
    found = {(path, match[0]) for path, text in sources() for match in starting.finditer(text)}

    assert {path for path, _ in found} - {"upstream/stdio.py", "demo/", "cli/", "beside/children.py"} == set()
    assert {how for _, how in found} <= {"create_subprocess_exec"}


def test_every_room_stands_on_a_floor_and_the_demo_is_a_stranger_to_each_below_the_doors() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(HERE / ".importlinter")
    floors = [line.strip() for line in contracts["importlinter:contract:floors"]["layers"].strip().splitlines()]
    doors = next(floor for floor in floors if "demo" in floor)
    words = {word for floor in floors for word in re.findall(r"\w+", floor)}
    strangers = set(contracts["importlinter:contract:stranger"]["forbidden_modules"].split())
    above = {word for floor in floors[: floors.index(doors) + 1] for word in re.findall(r"\w+", floor)}

    assert set(rooms()) <= words
    assert {f"valetkey.{room}" for room in rooms() if room not in above} <= strangers


@pytest.mark.parametrize("room", rooms())
def test_a_room_says_what_it_owns_and_what_it_must_not_do(room: str) -> None:
    docstring = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text()))

    assert docstring is not None
    title, _, paragraph = docstring.partition("\n\n")
    assert title.endswith(".")
    assert len(paragraph.split()) >= 8


def test_the_first_line_of_every_file_says_what_it_is_for() -> None:
    silent = [path for path, text in sources() if text.strip() and not ast.get_docstring(ast.parse(text))]

    assert silent == []


def test_secrets_are_revealed_in_few_places_and_each_is_named_here() -> None:
    opening = {path for path, text in sources() if re.search(r"\.reveal\(|\breveal_for_exchange\(", text)}

    assert sorted(opening - REVEALED.keys()) == []
    assert sorted(REVEALED.keys() - opening) == []


def test_forgetting_an_argument_never_means_everything() -> None:
    pattern = re.compile(
        r"\bNone\b[` ]*(means|is|=|:)[` ]*(all|every\w*|anything|unrestricted|no limit)", re.IGNORECASE
    )
    careless = [f"{path}: {match[0]}" for path, text in sources() for match in pattern.finditer(text)]

    assert careless == []


def test_names_say_what_a_thing_does() -> None:
    files = [path for path, _ in sources() if re.search(r"(^|/)(utils?|helpers?|misc|common|base)\.py$", path)]
    classes = [
        f"{path}: {match[1]}"
        for path, text in sources()
        for match in re.finditer(r"^class (\w*(?:Manager|Helper|Utils?|Impl|Base))\b", text, re.MULTILINE)
    ]

    assert files + classes == []


def test_files_are_short_enough_to_read() -> None:
    long = {path for path, text in sources() if len(text.splitlines()) > 350}

    assert sorted(long - LONG_FILES.keys()) == []


def test_a_suppression_carries_its_reason_on_its_line_or_in_a_comment_above() -> None:
    bare = re.compile(r"#\s*(noqa(: [A-Z0-9, ]+)?|type: ignore(\[[\w, -]+\])?|pragma: no cover)\s*$")
    silent = [
        f"{path}:{number}"
        for path, text in sources()
        for number, (above, line) in enumerate(pairwise(["", *text.splitlines()]), 1)
        if bare.search(line) and not above.lstrip().startswith("#")
    ]

    assert silent == []


def test_the_tree_names_no_machine_and_no_package_index() -> None:
    telltale = re.compile(
        "|".join(
            [
                "/" + "work/(main|shared)",
                "/" + "root/",
                "/" + "home/[a-z]+/",
                "py" + r"pi\.org",
                "pyth" + "onhosted",
                "registry" + r"\.npm",
            ]
        )
    )
    found = [
        f"{path.relative_to(HERE)}: {match[0]}"
        for path in tracked()
        if path.suffix not in (".png", ".ico", ".woff2")
        for match in telltale.finditer(path.read_text(errors="replace"))
    ]

    assert found == []


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt", "supply.txt", "fuzz.txt", "uv.txt"])
def test_a_lock_pins_every_package_by_hash_and_names_no_index(lock: str) -> None:
    text = (HERE / "requirements" / lock).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())

    assert [
        entry.splitlines()[0] for entry in entries if not re.search(r"==\S+", entry) or "--hash=" not in entry
    ] == []
    assert "://" not in text
    assert "index" not in text


def test_the_run_lock_holds_what_the_product_declares() -> None:
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[\[>=;<~ ]", line)[0] for line in project["dependencies"]}
    locked = set(re.findall(r"^([\w.-]+)==", (HERE / "requirements/run.txt").read_text(), re.MULTILINE))

    assert declared <= locked


def test_every_dependency_has_its_sentence() -> None:
    manifest = tomllib.loads((HERE / "pyproject.toml").read_text())
    project = manifest["project"]
    asked = [
        *project["dependencies"],
        *project["optional-dependencies"]["postgres"],
        *manifest["dependency-groups"]["dev"],
        *manifest["dependency-groups"]["supply"],
        *manifest["dependency-groups"]["fuzz"],
    ]
    names = {re.split(r"[\[>=;<~ ]", line)[0] for line in asked}
    page = (HERE / "docs/decisions/0002-dependencies.md").read_text()
    explained = {name for row in re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE) for name in row.split(", ")}

    assert names == explained - {"Package"}


def code_blocks(language: str) -> Iterator[tuple[str, str]]:
    for path in [HERE / "README.md", HERE / "CONTRIBUTING.md", *sorted((HERE / "docs").rglob("*.md"))]:
        for match in re.finditer(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
            yield path.relative_to(HERE).as_posix(), match[1]


def test_every_command_in_the_docs_exists() -> None:
    verbs = set(re.findall(r"^ *\./x (\w+)", (HERE / "x").read_text(), re.MULTILINE)) - {"demo", "serve"}
    commands = {
        words
        for _, block in code_blocks("sh")
        for line in re.findall(r"^(?:\./x|valetkey) (.+)", block, re.MULTILINE)
        if (words := tuple(takewhile(re.compile(r"[a-z][a-z-]*$").match, line.split()))) and words[0] not in verbs
    }

    for words in commands:
        told = subprocess.run(
            [sys.executable, "-m", "valetkey", *words, "--help"], capture_output=True, text=True, check=False
        )
        assert (words, told.returncode, told.stderr) == (words, 0, "")


def test_python_in_the_docs_runs_and_settings_in_the_docs_exist() -> None:
    known = {field.name for field in fields(Settings)}
    for path, block in code_blocks("python"):
        exec(compile(block, path, "exec"), {})
    for path, block in code_blocks("toml"):
        assert tomllib.loads(block).keys() <= known, path


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    assert "\n## [Unreleased]\n" in (HERE / "CHANGELOG.md").read_text()


def test_links_in_the_docs_lead_somewhere() -> None:
    dead = [
        f"{path.relative_to(HERE)}: {target}"
        for path in tracked()
        if path.suffix == ".md"
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", path.read_text())
        if not (path.parent / target).exists()
    ]

    assert dead == []
