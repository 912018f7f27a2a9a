"""Starting the strangers: the sample service and its authorization server, and any other program, each as a process."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx2

from valetkey.demo.authorization_server import RESOURCE_SERVER_SECRET, STORY_KEY

START_SECONDS = 60


class NotStarted(Exception):
    """A program ended, or did not answer in time; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The running sample service. `url` is what a person adds as a connector."""

    url: str
    origin: str
    issuer: str
    story_key: str

    def seen_by_service(self) -> list[dict[str, Any]]:
        """Each authenticated request: `token_sha256`, `person` (empty: refused), `method`, `tool`."""
        return list(self._seen(self.origin)["requests"])

    def seen_by_authorization_server(self) -> dict[str, list[dict[str, str]]]:
        """`issued` (`kind`, `person`, `value`, `token_sha256`) and `revocations` (`kind`, `person`, `token_sha256`)."""
        seen: dict[str, list[dict[str, str]]] = self._seen(self.issuer)
        return seen

    def change_tool(self, tool: str, description: str) -> None:
        """From now on the service describes this tool so."""
        wanted = {"tool": tool, "description": description}
        headers = {"story-key": self.story_key}
        httpx2.post(f"{self.origin}/_change", json=wanted, headers=headers, trust_env=False).raise_for_status()

    def _seen(self, origin: str) -> Any:
        answer = httpx2.get(f"{origin}/_seen", headers={"story-key": self.story_key}, trust_env=False)
        return answer.raise_for_status().json()


@contextmanager
def sample_service(
    *,
    era: str = "both",
    streams: bool = False,
    access_seconds: int = 300,
    neighbor: str = "http://127.0.0.1:1/mcp",
    log: IO[bytes] | None = None,
) -> Iterator[Sample]:
    """Runs both processes on free ports of 127.0.0.1 while the block runs.

    `neighbor` is another service that the authorization server issues tokens for.
    """
    story_key = secrets.token_urlsafe(16)
    environment = {**os.environ, STORY_KEY: story_key, RESOURCE_SERVER_SECRET: secrets.token_urlsafe(16)}
    with ExitStack() as stack:
        # We listen for them and hand the sockets over: a free port found and closed again might be taken meanwhile.
        (fd, port), (service_fd, service_port) = stack.enter_context(_listening()), stack.enter_context(_listening())
        origin, issuer = f"http://127.0.0.1:{service_port}", f"http://127.0.0.1:{port}"
        sample = Sample(f"{origin}/mcp", origin, issuer, story_key)
        authorization_server = [f"--port={port}", f"--fd={fd}", f"--resource={sample.url}", f"--resource={neighbor}"]
        service = [f"--port={service_port}", f"--fd={service_fd}", f"--issuer={issuer}", f"--era={era}"]
        commands = (
            ["authorization_server", *authorization_server, f"--access-seconds={access_seconds}"],
            ["service", *service, *(["--streams"] if streams else [])],
        )
        processes = [
            stack.enter_context(
                running(
                    [sys.executable, "-m", f"valetkey.demo.{module}", *arguments],
                    environment=environment,
                    log=log,
                    pass_fds=(fd, service_fd),
                )
            )
            for module, *arguments in commands
        ]
        wait_for(f"{issuer}/.well-known/oauth-authorization-server", processes[0])
        wait_for(f"{origin}/.well-known/oauth-protected-resource", processes[1])
        yield sample


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log: IO[bytes] | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives as long as the block: asked to stop at its end, and stopped if it will not."""
    process = subprocess.Popen(  # noqa: S603 - only our own programs are started here
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=pass_fds,
        start_new_session=True,  # Ctrl-C in the terminal is for us; we stop them in order
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Returns when `url` answers 200. Raises `NotStarted` when the process ends, or after a minute."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if (code := process.poll()) is not None:
            raise NotStarted(f"The process for {url} ended with exit code {code}.")
        try:
            if httpx2.get(url, trust_env=False, timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            pass  # not yet
        time.sleep(0.05)
    raise NotStarted(f"Nothing answered at {url} within {START_SECONDS} seconds.")


@contextmanager
def _listening() -> Iterator[tuple[int, int]]:
    """File descriptor and port of a listening socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.fileno(), listener.getsockname()[1]
