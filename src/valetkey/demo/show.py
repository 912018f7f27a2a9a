"""`valetkey demo`: a hub of its own, the sample service beside it, and what to do with them; or the story, headless."""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from types import FrameType

from valetkey.demo.neighborhood import NotStarted, Sample, free_port, running, sample_service, wait_for
from valetkey.demo.story.play import Hub, story

_LINK = re.compile(rb"https?://[^\s\"]+/signin/link/[\w-]+")


def main(*, check: bool, browser: bool) -> int:
    """Runs the demo until Ctrl-C, or with `check` until the story ends. Exit code 1 when something was not seen."""
    signal.signal(signal.SIGTERM, _stop)  # so that what was started is stopped, however we are
    with ExitStack() as stack:
        try:
            hub, sample, process = stack.enter_context(started())
        except NotStarted as problem:
            print(f"✗ {problem}", file=sys.stderr)
            return 1
        if check:
            with story(hub, sample, _tell) as told:
                seen = told.play()
            print("Every step was seen." if seen else "Not every step was seen.")
            return 0 if seen else 1
        _say_what_to_do(hub, sample)
        if browser:
            webbrowser.open(hub.sign_in_link)
        try:
            while process.poll() is None:
                time.sleep(0.5)
        except KeyboardInterrupt:
            print("\nStopping, and removing everything of the demo.")
            return 0
        print(f"✗ The hub ended with exit code {process.returncode}.", file=sys.stderr)
        return 1


@contextmanager
def started() -> Iterator[tuple[Hub, Sample, Popen[bytes]]]:
    """The hub and the sample service, with data and root key in temporary places, while the block runs."""
    with (
        tempfile.TemporaryDirectory(prefix="valetkey-demo-data-") as data,
        tempfile.TemporaryDirectory(prefix="valetkey-demo-key-") as elsewhere,
        Path(elsewhere, "log.txt").open("wb") as log,
        sample_service(log=log) as sample,
    ):
        url = f"http://localhost:{(port := free_port())}"
        root_key = Path(elsewhere, "root.key")
        options = [f"--data={data}", f"--root-key={root_key}", f"--port={port}", "--allow-network=127.0.0.1/32"]
        # Settings of a hub that somebody runs on this machine are none of ours.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VALETKEY_")}
        command = [sys.executable, "-m", "valetkey", "serve", *options]
        with running(command, environment=environment, log=log) as process:
            try:
                wait_for(f"{url}/healthz", process)
            except NotStarted as problem:
                raise NotStarted(f"{problem} Its last words:\n{_tail(Path(log.name))}") from problem
            yield Hub(url, Path(data), root_key, Path(log.name), _sign_in_link(Path(log.name))), sample, process


def _sign_in_link(log: Path) -> str:
    """The one-time link that the hub prints at its first start."""
    if found := _LINK.search(log.read_bytes()):
        return found[0].decode()
    raise NotStarted(f"The hub printed no sign-in link. Its last words:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _tell(seen: bool, title: str, what: str) -> None:
    print(f"{'✓' if seen else '✗'} {title}\n    {what}", flush=True)


def _say_what_to_do(hub: Hub, sample: Sample) -> None:
    print(
        f"""
The hub is at {hub.url}; beside it runs Marginalia, a sample service with its own sign-in.

  1. Sign in, once, with this link, and choose a password or a passkey:
       {hub.sign_in_link}
  2. Directory → Add by URL:
       {sample.url}
     Read what it asks for, go on, and sign in there as ada (password lovelace).
  3. Switch on the tools that say they only read.
  4. Let an assistant in, for example:
       claude mcp add --transport http valetkey {hub.url}/mcp
     It opens the hub in your browser and asks you. Then ask it what is in your notebook.
  5. Look at Activity. Disconnect, and ask again.

Data and key are temporary and lie apart from each other:
       {hub.data}
       {hub.root_key}
Ctrl-C stops everything and removes them.
""",
        flush=True,
    )


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
