"""`valetkey doctor`: looks at everything a hub stands on, and says what to do.

It opens the data directory itself, reads only, and may run beside the hub.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import click

from valetkey.cli.hub_client import NoHub, open_hub
from valetkey.cli.passphrase import ask_for_passphrase
from valetkey.cli.printing import as_json, print_json
from valetkey.cli.start_checks import check_data_directory, is_held, listen
from valetkey.kernel.errors import StartRefused, ValetkeyError

if TYPE_CHECKING:
    from valetkey.settings import Settings
    from valetkey.store.database import Database

_SIGNS = {"good": "✓", "note": "–", "bad": "✗"}
_BUILT = datetime(2026, 11, 1, tzinfo=UTC)
"""No clock that is right is before this program was written."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `hint` says what to do about it."""

    about: str
    state: Literal["good", "note", "bad"]
    says: str
    hint: str = ""


@click.command()
@click.option("--data", metavar="DIR", help="The hub's data directory.  [default: ~/.local/share/valetkey]")
@click.option("--root-key", metavar="FILE", help="Its root key, if not in the usual place.")
@as_json
@click.pass_context
def doctor(ctx: click.Context, /, as_json: bool, **flags: object) -> None:
    """Check this hub, and say what to do.

    Looks at configuration, data directory, databases, keys, clock and public URL. Changes nothing.
    """
    findings = asyncio.run(examine(flags))
    is_well = all(finding.state != "bad" for finding in findings)
    if as_json:
        print_json({"is_well": is_well, "findings": [asdict(finding) for finding in findings]})
    else:
        width = max(len(finding.about) for finding in findings)
        for finding in findings:
            print(f"{_SIGNS[finding.state]} {finding.about:<{width}}  {finding.says}")
            if finding.hint:
                print(f"  {'':<{width}}  {finding.hint}")
    ctx.exit(0 if is_well else 1)


async def examine(flags: dict[str, object]) -> list[Finding]:
    """All findings, in the order in which one would look."""
    from valetkey.settings import load_settings

    try:
        settings = load_settings(flags)
    except StartRefused as refusal:
        return [_bad("configuration", refusal)]
    findings = [
        Finding("configuration", "good", f"listens on {settings.host} port {settings.port}"),
        *_clock(),
        _vault(settings),
    ]
    if not settings.data.exists():
        findings.append(
            Finding(
                "data", "note", f"{settings.data} does not exist yet.", "`valetkey serve` makes it at its first start."
            )
        )
        return findings
    try:
        check_data_directory(settings.data)
    except StartRefused as refusal:
        return [*findings, _bad("data", refusal)]
    findings.append(Finding("data", "good", f"{settings.data}, for its owner only"))
    findings += [finding async for finding in _stores(settings)]
    findings += [finding async for finding in _hub(settings)]
    return findings


def _clock() -> Iterator[Finding]:
    from valetkey.kernel.clock import SystemClock

    now = SystemClock().now()
    if now < _BUILT:
        yield Finding("clock", "bad", f"It says {now:%Y-%m-%d %H:%M} UTC, which has passed.", "Set it, best by NTP.")
    else:
        yield Finding("clock", "good", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _vault(settings: Settings) -> Finding:
    from valetkey.beside.hardening import what_is_missing

    if settings.vault == "inline":
        return Finding(
            "vault",
            "note",
            "in the hub's own process: whoever takes that over has the keys",
            "`valetkey serve --vault process` keeps them in one of their own (docs/vault.md).",
        )
    missing = what_is_missing()
    return Finding("vault", "note" if missing else "good", "vault and dialer in processes of their own", *missing)


async def _stores(settings: Settings) -> AsyncIterator[Finding]:
    from valetkey.store.database import Database

    opened: dict[str, Database] = {}
    for name, url, path in (
        ("database", settings.database, settings.data / "valetkey.db"),
        ("keyring", settings.keyring_database, settings.data / "keyring.db"),
    ):
        if not url and not path.exists():
            yield Finding(name, "note", f"{path} does not exist yet.", "`valetkey serve` makes it at its first start.")
            continue
        try:
            database = Database.open(url) if url else Database.sqlite(path)
            await database.ping()
        except StartRefused as refusal:
            yield _bad(name, refusal)
            continue
        except Exception as error:  # noqa: BLE001 – a driver's error, of whichever engine; the doctor only tells it
            yield Finding(
                name, "bad", f"It does not answer ({type(error).__name__}).", "Is it running, and the URL right?"
            )
            continue
        opened[name] = database
        yield Finding(name, "good", f"{database.dialect} answers")
    try:
        if "keyring" in opened:
            yield await _keys(settings, opened["keyring"])
    finally:
        for database in opened.values():
            await database.close()


async def _keys(settings: Settings, keyring: Database) -> Finding:
    from valetkey.kernel.clock import SystemClock
    from valetkey.vault.keyring import Keyring
    from valetkey.vault.repository import find_canary
    from valetkey.vault.root_keys.opening import Asked, open_root_key

    async with keyring.read() as tx:
        canary = await find_canary(tx)
    if canary is None:
        return Finding("keys", "note", "No key has been made yet.", "`valetkey serve` makes it at its first start.")
    deployment_id = canary[0]
    asked = Asked(
        spec=settings.root_key,
        deployment_id=deployment_id,
        apart_from=[settings.data],
        may_create=False,
        ask=ask_for_passphrase,
    )
    try:
        root_key = await open_root_key(asked)
        former = [await open_root_key(replace(asked, spec=spec)) for spec in (settings.former_root_key,) if spec]
        await Keyring(keyring, root_key, clock=SystemClock(), former=former).check(deployment_id, secrets_exist=True)
    except StartRefused as refusal:
        return _bad("keys", refusal)
    return Finding("keys", "good", f"{root_key.place} opens the keyring", "Have you a copy of it, apart from the data?")


async def _hub(settings: Settings) -> AsyncIterator[Finding]:
    if not is_held(settings.data):
        yield Finding("hub", "note", "It is not running.", "Start it with `valetkey serve`.")
        try:
            listening, _settings = listen(settings)
        except StartRefused as refusal:
            yield _bad("port", refusal)
        else:
            listening.close()
            yield Finding("port", "good", f"{settings.host} port {settings.port} is free")
        return
    try:
        health = await asyncio.to_thread(open_hub(url="", data=str(settings.data)).get, "/health")
    except NoHub as error:
        yield _bad("hub", error)
    else:
        yield Finding("hub", "good", f"It runs, version {health['version']}")
        yield await asyncio.to_thread(_trail, settings)
    if settings.is_public:
        yield await _public_url(settings)
    else:
        yield Finding("public URL", "note", f"{settings.public_url}: for browsers and assistants on this machine only.")


def _trail(settings: Settings) -> Finding:
    """Whether the log is signed, and reaches somebody beyond this host."""
    status = open_hub(url="", data=str(settings.data)).get("/trail/status")
    if status["broken"]:
        return Finding("trail", "bad", status["broken"], "`valetkey trail verify` names the first bad record.")
    for sink in status["sinks"]:
        if sink["failing_since"]:
            says = f"{sink['name']} takes no checkpoint since {sink['failing_since'][:16]}: {sink['reason']}"
            return Finding("trail", "bad", says, "It is tried again until it works; nothing is lost meanwhile.")
    if not status["sinks"]:
        says = "Checkpoints stay on this host, where who takes it over can rewrite them."
        return Finding("trail", "note", says, "Give --trail-sink: a directory on another mount, syslog, S3 or git.")
    return Finding("trail", "good", f"signed, and delivered to {len(status['sinks'])} sinks")


async def _public_url(settings: Settings) -> Finding:
    """Whether the hub is reached under the URL that everybody is told."""
    from ipaddress import ip_network

    from valetkey.kernel.clock import SystemClock
    from valetkey.net.address_policy import AddressPolicy
    from valetkey.net.outbound import open_outbound
    from valetkey.net.url import parse_url

    # Our own address, wherever it is: a private network, too.
    outbound = open_outbound(AddressPolicy(allow=(ip_network("0.0.0.0/0"), ip_network("::/0"))), SystemClock())
    try:
        answer = await outbound.web.get(parse_url(f"{settings.public_url}/api/v1/health", private_names=True))
    except ValetkeyError as error:
        return _bad("public URL", error)
    finally:
        await outbound.close()
    if answer.status == 200:
        return Finding("public URL", "good", f"{settings.public_url} leads here")
    return Finding(
        "public URL",
        "bad",
        f"{settings.public_url} answers with status {answer.status}.",
        "The reverse proxy must pass every path on, and the Host header with it.",
    )


def _bad(about: str, error: ValetkeyError) -> Finding:
    return Finding(about, "bad", error.message, error.hint)
