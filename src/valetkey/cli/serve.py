"""`valetkey serve`: the hub itself, until it is stopped."""

from __future__ import annotations

import gc
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING

import click

from valetkey import __version__
from valetkey.cli.passphrase import ask_for_passphrase
from valetkey.cli.start_checks import holding_data_directory, listen

if TYPE_CHECKING:
    from valetkey.app import Hub


@click.command()
@click.option(
    "--data",
    metavar="DIR",
    help="Directory for databases, journal and control socket (0700).  [default: ~/.local/share/valetkey]",
)
@click.option(
    "--host",
    metavar="H",
    help="Address to listen on; anything but loopback needs an https public URL.  [default: 127.0.0.1]",
)
@click.option("--port", metavar="P", help="Port for all doors; 0 takes a free one.  [default: 8484]")
@click.option(
    "--public-url",
    metavar="URL",
    help="Where people and assistants reach the hub; no path.  [default: http://localhost:PORT]",
)
@click.option("--database", metavar="URL", help="The main database, postgresql://…  [default: SQLite in --data]")
@click.option(
    "--keyring-database", metavar="URL", help="The keyring, which wants its own backups.  [default: SQLite in --data]"
)
@click.option(
    "--root-key",
    metavar="KEY",
    help="The root key: a file, never below --data, or passphrase:prompt, keyring:, systemd-creds:, aws-kms:…,"
    " pkcs11:…, transit:… (docs/vault.md).  [default: ~/.config/valetkey/<deployment id>/root.key]",
)
@click.option(
    "--former-root-key", metavar="KEY", help="The root key before, until nothing hangs on it (`valetkey key status`)."
)
@click.option(
    "--vault",
    metavar="inline|process",
    help="Keep the vault in the hub's own process, or vault and dialer each in one of its own.  [default: inline;"
    " process with PostgreSQL]",
)
@click.option("--workers", metavar="N", help="Processes that serve requests; one, for now.  [default: 1]")
@click.option(
    "--allow-network",
    metavar="CIDR",
    multiple=True,
    help="A private network that connectors may be in; repeat for more.",
)
@click.option(
    "--trusted-proxy",
    metavar="CIDR",
    multiple=True,
    help="The network of a reverse proxy in front, which says where requests came from; repeat for more.",
)
@click.option(
    "--trail-sink",
    metavar="URL",
    multiple=True,
    help="Where signed checkpoints of the trail go, off this host: file:, syslog:, s3: or git+https:; repeat for more.",
)
@click.option(
    "--client-id-url",
    metavar="URL",
    help="Where our client ID metadata document is published, if not below --public-url.",
)
@click.option(
    "--client-id-unreachable",
    "client_id_reachable",
    flag_value="no",
    help="Services cannot fetch documents from --public-url: register with them instead.",
)
@click.option(
    "--pinned-client",
    "pinned_clients",
    metavar="FILE",
    multiple=True,
    help="An assistant's client ID metadata document, for a hub without a way out.",
)
@click.option(
    "--privacy-policy",
    metavar="FILE|template",
    help="Your privacy policy, or `template` to make the built-in one yours; without one nothing can be connected.",
)
def serve(**flags: object) -> None:
    """Run the hub: all doors on one port.

    Each option can also be set in the environment (VALETKEY_PORT=…) or in DIR/valetkey.toml. The first start creates
    the root key, says where it is, and prints a one-time sign-in link for the owner.
    """
    from valetkey.beside.hardening import leave_no_dump
    from valetkey.settings import load_settings

    settings = load_settings(flags)
    leave_no_dump()  # before the first key; where it cannot be done, `doctor` says so
    with holding_data_directory(settings.data):
        listening, settings = listen(settings)
        from valetkey.app import serve as serve_hub
        from valetkey.cli.log import write_log_to_stderr

        write_log_to_stderr()
        stopping = _Stopping()
        for wanted in (signal.SIGINT, signal.SIGTERM):
            signal.signal(wanted, stopping)

        def ready(hub: Hub) -> None:
            stopping.is_graceful = True
            # What is there now stays; else each full collection looks at all of it while every call waits.
            gc.collect()
            gc.freeze()
            tell(hub)

        with listening:
            serve_hub(settings, listening, ready=ready, ask=ask_for_passphrase)


class _Stopping:
    """What a signal does outside the server's own loop.

    The server stops gracefully at SIGINT and SIGTERM, and then raises the signal anew for whoever was there before it:
    us. By then nothing is left to do but to close the hub, which must not be interrupted.
    """

    is_graceful = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if not self.is_graceful:
            raise KeyboardInterrupt


def tell(hub: Hub) -> None:
    """What a person needs to know now that the hub is ready: one fact to a line, for people and for scripts."""
    lines = [f"valetkey {__version__}", f"data: {hub.settings.data}"]
    lines.append(f"root key: {hub.root_key.place}")
    if hub.root_key.created:
        lines.append(
            "  It is new. Back it up now, apart from the data: without it nothing in the vault opens,\n"
            "  and whoever has both has everything."
        )
    if hub.sign_in_url:
        lines.append(f"sign in: {hub.sign_in_url}")
    lines.append(f"ready: {hub.settings.public_url}")
    print("\n".join(map(_pretty, lines) if sys.stdout.isatty() else lines), flush=True)


def _pretty(line: str) -> str:
    name, separator, value = line.partition(": ")
    return f"{click.style(name + ':', bold=True)} {value}" if separator else line
