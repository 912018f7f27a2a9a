"""A process beside the worker, from its start to its end: started again when it fails, gone when the worker is gone.

Parent and child hold the two ends of one socket that has no name, so nobody else can speak on it. The end of the one
closes the other: a child whose parent was killed reads the end of it and stops, whatever the signal was.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import structlog

from valetkey.beside.channel import Away, Channel, Verbs
from valetkey.beside.hardening import die_with_parent, harden
from valetkey.kernel.errors import StartRefused, ValetkeyError

T = TypeVar("T")
Boot = Callable[[Channel], Awaitable[None]]

_BOOT_SECONDS: Final = 300.0  # somebody may have to type a passphrase
_PATIENCE: Final = 3.0  # how long a question waits for a child that is being started again
_STOP_SECONDS: Final = 10.0
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 5.0


class Child:
    """One process, `module` run as a program. `boot` tells each new one what it must know before it is of use."""

    def __init__(
        self,
        name: str,
        module: str,
        *,
        verbs: Verbs,
        boot: Boot,
        environment: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._module = module
        self._verbs = verbs
        self._boot = boot
        self._environment = dict(environment)
        self._pass_fds = tuple(pass_fds)
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._is_stopping = False

    @property
    def pid(self) -> int:
        """The process's id; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def is_there(self) -> bool:
        """Whether it can be told something now."""
        return self._ready.is_set()

    async def start(self) -> None:
        """Returns when the process is of use. Raises what `boot` raises, or `StartRefused`; then there is none."""
        try:
            await self._start_one()
        except BaseException as error:
            await self.stop()
            if isinstance(error, (Away, TimeoutError, OSError)):
                raise StartRefused(
                    f"The hub's {self.name} could not be started in a process of its own.",
                    hint="What it said stands above. `--vault inline` needs no other process.",
                ) from error
            raise
        self._keeper = asyncio.create_task(self._keep(), name=f"keeper of {self.name}")

    async def stop(self) -> None:
        """Ends the process: by closing the channel, and if it does not heed that, by a signal."""
        self._is_stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._end_one()

    async def ask(self, verb: str, wanted: type[T] | Any, **arguments: object) -> T:
        """As `Channel.ask`; waits a little for a process that is being started again. Raises `Away`."""
        if not self._ready.is_set():
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._ready.wait()
            except TimeoutError as error:
                raise Away(
                    f"The hub's {self.name} is being started again.", hint="Try again in a moment; the log says why."
                ) from error
        assert self._channel is not None  # `_ready` says so
        return await self._channel.ask(verb, wanted, **arguments)

    def tell(self, verb: str, **arguments: object) -> None:
        """As `Channel.tell`. A process that is not there is not told: it begins with nothing to forget."""
        if self._channel is not None and self._ready.is_set():
            self._channel.tell(verb, **arguments)

    # --- within -------------------------------------------------------------------------------------------------------

    async def _start_one(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lost.clear()
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    self._module,
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(), *self._pass_fds),
                    env=self._environment,
                )
            ours.setblocking(False)
            _, channel = await asyncio.get_running_loop().create_unix_connection(
                lambda: Channel(self._verbs, lost=self._was_lost), sock=ours
            )
        except BaseException:
            ours.close()
            raise
        self._channel = channel
        async with asyncio.timeout(_BOOT_SECONDS):
            await self._boot(channel)
        self._ready.set()

    def _was_lost(self) -> None:
        self._ready.clear()
        self._lost.set()

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE
        log = structlog.get_logger(__name__)
        while True:
            await self._lost.wait()
            await self._end_one()
            log.error("a process of the hub ended; it is started again", process=self.name)
            await asyncio.sleep(pause)
            while True:
                try:
                    await self._start_one()
                    pause = _FIRST_PAUSE
                    break
                except (ValetkeyError, OSError, TimeoutError) as error:
                    reason = error.message if isinstance(error, ValetkeyError) else type(error).__name__
                    log.error("a process of the hub cannot be started", process=self.name, reason=reason)
                    await self._end_one()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _end_one(self) -> None:
        self._ready.clear()
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.transport.close()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            async with asyncio.timeout(_STOP_SECONDS if channel is not None else 0.1):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            with contextlib.suppress(TimeoutError):  # killed it is; that nobody tells us so holds up no stop
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()


def run_child(serve: Callable[[socket.socket], Awaitable[None]]) -> None:
    """What a child's program does: hardened, with the descriptor that stands in its arguments, until `serve` returns.

    Signals to the whole group (Ctrl-C, a service manager's stop) are the worker's to heed: it still needs us meanwhile.
    """
    die_with_parent()
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    missing = harden()
    sock = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(sock.fileno(), False)
    sock.setblocking(False)

    async def main() -> None:
        for sentence in missing:
            structlog.get_logger(__name__).warning(
                "a process of the hub is less protected than it could be", what=sentence
            )
        await serve(sock)

    try:
        import uvloop
    except ImportError:  # not on every platform
        asyncio.run(main())
    else:
        uvloop.run(main())
