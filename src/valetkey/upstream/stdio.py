"""A server that is a program on the hub's host: started when it is needed, spoken to through its pipes.

Which programs there are, with every word of their command, only the operator says, in the hub's own settings. A program
runs for one connection and is given the variables it was granted and nothing else of the hub's: no credential, no key.
It says one message a line; what it says besides goes to the hub's log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess  # the names of the pipes; programs are started by asyncio, never by a shell
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from valetkey.audit.redact import redact
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import OutboundFailed, printable
from valetkey.kernel.secret import Credential
from valetkey.net.limits import MIB, Limits
from valetkey.net.model import Answer, BadAnswer, TimedOut, TooLarge, Unreachable
from valetkey.upstream.model import LocalServer

MAX_LINE: Final = 2 * MIB
MAX_GARBAGE: Final = 100
"""Lines that are no messages, after which a program is taken for something else than a server."""
MAX_UNASKED: Final = 8 * MIB
"""Bytes that a program may say while nobody waits for an answer."""
MAX_PROGRAMS: Final = 64
STARTS_PER_MINUTE: Final = 5
"""Starts for one connection: a program that keeps ending is not started for ever."""

_LOGGED: Final = 100
_LOG_LINE: Final = 300
_SEND_SECONDS: Final = 10.0
_GRACE: Final = 1.0
"""Seconds between closing a program's input, asking it to end, and ending it."""

Take = Callable[[bytes], bool]
Over = Callable[[OutboundFailed | None], None]


def not_there(name: str) -> OutboundFailed:
    """The error for a program that the operator does not offer (any more)."""
    return Unreachable(f"The local server {printable(name, limit=40)} is not offered by this hub's operator.")


class Starts:
    """Starts programs, and knows those that run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: set[Program] = set()
        self._lately: dict[str, deque[float]] = {}
        self._guard = shutil.which("setpriv") or ""

    async def start(
        self, server: LocalServer, pool: str, *, take: Take, over: Over, is_busy: Callable[[], bool]
    ) -> Program:
        """The program, running for the connection `pool`. Raises `Unreachable` when it cannot be started."""
        self._allow(server, pool)
        if shutil.which(server.command[0], path=server.environment.get("PATH", os.defpath)) is None:
            raise Unreachable(f"The local server {server.name} could not be started: there is no such program.")
        # Dies with the hub even when the hub is killed, where the system can promise that.
        guard = (self._guard, "--pdeathsig", "KILL", "--") if self._guard else ()
        try:
            process = await asyncio.create_subprocess_exec(
                *guard,
                *server.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(server.environment),
                cwd="/",
                start_new_session=True,
                limit=MAX_LINE,
            )
        except (OSError, ValueError) as error:
            raise Unreachable(f"The local server {server.name} could not be started.") from error
        program = Program(server, process, take=take, over=over, is_busy=is_busy)
        self._running.add(program)
        program.gone.add_done_callback(lambda _: self._running.discard(program))
        return program

    async def all_ended(self) -> None:
        """Waits until every program has ended that was told to."""
        running = list(self._running)
        for program in running:
            program.close()
        await asyncio.gather(*(program.gone for program in running), return_exceptions=True)

    def _allow(self, server: LocalServer, pool: str) -> None:
        if len(self._running) >= MAX_PROGRAMS:
            raise Unreachable("As many local servers run already as this hub allows. Try again later.")
        now = self._clock.monotonic()
        lately = self._lately.setdefault(pool, deque())
        while lately and lately[0] <= now - 60:
            lately.popleft()
        if len(lately) >= STARTS_PER_MINUTE:
            raise Unreachable(f"The local server {server.name} keeps ending. It is tried again in a minute.")
        lately.append(now)
        if len(self._lately) > 10 * MAX_PROGRAMS:
            self._lately = {key: times for key, times in self._lately.items() if times and times[-1] > now - 60}


class Program:
    """One running program. `gone` is done when it has ended."""

    def __init__(
        self,
        server: LocalServer,
        process: asyncio.subprocess.Process,
        *,
        take: Take,
        over: Over,
        is_busy: Callable[[], bool],
    ) -> None:
        self._server = server
        self._process = process
        self._take = take
        self._over = over
        self._is_busy = is_busy
        self._is_closing = False
        self._secrets = tuple(value.encode() for value in server.environment.values() if len(value) >= 8)
        self._log = structlog.get_logger(__name__).bind(local_server=server.name, process=process.pid)
        loop = asyncio.get_running_loop()
        self._reading = loop.create_task(self._read())
        self._noting = loop.create_task(self._note())
        self.gone = loop.create_task(self._wait())

    async def send(self, body: bytes, _credential: Credential | None, limits: Limits) -> Answer | None:
        """Says one message on a line of its own."""
        pipe = self._process.stdin
        assert pipe is not None
        if self._is_closing or self._process.returncode is not None or pipe.is_closing():
            return Answer(404, {}, b"", b"", None)  # nothing was said: another one may be started
        # JSON may have line breaks between its tokens, never within a string: to the receiver it is the same message.
        pipe.write(body.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n")
        try:
            await asyncio.wait_for(pipe.drain(), min(_SEND_SECONDS, limits.total))
        except TimeoutError as error:
            self._fail(TimedOut(f"The local server {self._server.name} does not listen.", sent=True))
            raise TimedOut(f"The local server {self._server.name} does not listen.", sent=True) from error
        except (ConnectionError, RuntimeError) as error:
            raise Unreachable(f"The local server {self._server.name} has ended.", sent=True) from error
        return None

    def close(self) -> None:
        """Closes its input; if that does not end it, it is asked, and then made to."""
        if not self._is_closing:
            self._is_closing = True
            self._reading.cancel()

    async def ended(self) -> None:
        await asyncio.wait({self.gone})

    async def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        garbage = unasked = 0
        error: OutboundFailed | None = None
        name = self._server.name
        try:
            while True:
                line = await pipe.readuntil(b"\n")
                unasked = 0 if self._is_busy() else unasked + len(line)
                if line.strip() and not self._take(line.strip()):
                    garbage += 1
                if garbage > MAX_GARBAGE:
                    error = BadAnswer(f"The local server {name} says things that are no MCP messages.")
                    break
                if unasked > MAX_UNASKED:
                    error = TooLarge(f"The local server {name} does not stop talking.")
                    break
        except asyncio.IncompleteReadError:
            error = Unreachable(f"The local server {name} has ended.", sent=True)
        except (asyncio.LimitOverrunError, ValueError):
            error = TooLarge(f"The local server {name} sent a message beyond {MAX_LINE} bytes.")
        except ConnectionError:
            error = Unreachable(f"The local server {name} has ended.", sent=True)
        finally:
            self._fail(error)

    def _fail(self, error: OutboundFailed | None) -> None:
        self._is_closing = True
        if error is not None:
            self._log.info("a local server's line is over", why=error.message)
        self._over(error)

    async def _note(self) -> None:
        """What the program says on the side goes to the log: bounded, printable, without what looks like a secret."""
        pipe = self._process.stderr
        assert pipe is not None
        noted = 0
        with contextlib.suppress(ConnectionError):
            while chunk := await pipe.read(64 * 1024):
                for line in chunk.splitlines():
                    if noted < _LOGGED and line.strip():
                        noted += 1
                        self._log.info("a local server said", line=self._plain(line))

    def _plain(self, line: bytes) -> str:
        for secret in self._secrets:
            line = line.replace(secret, b"[redacted]")
        return printable(redact(line[: 4 * _LOG_LINE]).decode(errors="replace"), limit=_LOG_LINE)

    async def _wait(self) -> None:
        await asyncio.wait({self._reading})
        process = self._process
        assert process.stdin is not None
        process.stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)
            try:
                await asyncio.wait_for(process.wait(), _GRACE)
                break
            except TimeoutError:
                continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started, and left behind
        await process.wait()
        await asyncio.wait({asyncio.ensure_future(self._drain()), self._noting}, timeout=_GRACE)
        self._noting.cancel()

    async def _drain(self) -> None:
        """Reads what nobody wants any more to its end, so that the pipe is closed."""
        pipe = self._process.stdout
        assert pipe is not None
        with contextlib.suppress(ConnectionError):
            while await pipe.read(MIB):
                pass
