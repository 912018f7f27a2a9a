"""`valetkey demo`: the main job, played with a sample service."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--check", is_flag=True, help="Play the whole story without a browser, and say what was seen.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser; the links are printed all the same.")
@click.pass_context
def demo(ctx: click.Context, check: bool, no_browser: bool) -> None:
    """Play the main job with a sample service.

    Starts a hub with its own temporary data and root key, and a sample service behind a real authorization server,
    each in a process of its own. With --check it exits 0 only if every step was seen to work.
    """
    from valetkey.demo import run

    ctx.exit(run.main(check=check, executable=sys.executable, browser=not no_browser))
