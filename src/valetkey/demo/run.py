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
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from types import FrameType

from valetkey.demo.neighborhood import START_SECONDS, NotStarted, Sample, running, sample_service
from valetkey.demo.story.play import Hub, story


def main(*, check: bool, executable: str = sys.executable, browser: bool = True) -> int:
    """Runs the demo until Ctrl-C, or with `check` until the story ends. Exit code 1 when something was not seen.

    `executable` is the Python to run the hub with; `browser` opens the sign-in page in one, if there is one.
    """
    signal.signal(signal.SIGTERM, _stop)  # so that what was started is stopped, however we are
    try:
        with started(executable) as (hub, sample, process):
            if check:
                with story(hub, sample, _tell) as told:
                    seen = told.play()
                print("Every step was seen." if seen else f"Not every step was seen. The log ends:\n{_tail(hub.log)}")
                return 0 if seen else 1
            _say_what_to_do(hub, sample)
            if browser:
                webbrowser.open(hub.sign_in_link)
            process.wait()
            print(f"✗ The hub ended with exit code {process.returncode}:\n{_tail(hub.log)}", file=sys.stderr)
            return 1
    except NotStarted as problem:
        print(f"✗ {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEverything was stopped, and what the demo kept is gone.")
        return 1 if check else 0


@contextmanager
def started(executable: str) -> Iterator[tuple[Hub, Sample, Popen[bytes]]]:
    """The hub and the sample service, with data and root key in temporary places, while the block runs."""
    with (
        tempfile.TemporaryDirectory(prefix="valetkey-demo-data-") as data,
        tempfile.TemporaryDirectory(prefix="valetkey-demo-key-") as elsewhere,
        Path(elsewhere, "log.txt").open("wb") as log,
        sample_service(log=log) as sample,
    ):
        root_key = Path(elsewhere, "root.key")
        options = [f"--data={data}", f"--root-key={root_key}", "--port=0", "--allow-network=127.0.0.1/32"]
        options.append("--privacy-policy=template")  # as whoever runs a hub has to say what becomes of people's data
        # Settings of a hub that somebody runs on this machine are none of ours.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VALETKEY_")}
        command = [executable, "-m", "valetkey", "serve", *options]
        with running(command, environment=environment, log=log) as process:
            said = _first_words(Path(log.name), process)
            yield Hub(said["ready"], Path(data), root_key, Path(log.name), said["sign in"]), sample, process


def _first_words(log: Path, process: Popen[bytes]) -> dict[str, str]:
    """What the hub prints at its start, by name: among others `ready`, its URL, and `sign in`, the one-time link."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        said = dict(re.findall(r"^([a-z ]+): (\S+)$", log.read_text(errors="replace"), re.MULTILINE))
        if said.keys() >= {"ready", "sign in"}:
            return said
        time.sleep(0.05)
    raise NotStarted(f"The hub did not start. Its last words:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _tell(seen: bool, title: str, what: str) -> None:
    print(f"{'✓' if seen else '✗'} {title}\n    {what}", flush=True)


def _say_what_to_do(hub: Hub, sample: Sample) -> None:
    print(
        f"""
The hub is at {hub.url}; beside it runs Marginalia, a sample service with its own sign-in.
Its privacy policy is the built-in template ({hub.url}/privacy), accepted for this demo; elsewhere you say so yourself.

  1. Sign in, once, with this link, and choose a password or a passkey:
       {hub.sign_in_link}
  2. Directory → Add by URL:
       {sample.url}
     Read what it asks for, go on, and sign in there as ada (password lovelace).
  3. Allow the tools that say they only read.
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
