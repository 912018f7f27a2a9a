"""Asking another process of ours: typed questions and answers over one socket, in the order in which they were said.

What may be asked is a table of verbs; what a verb takes and gives is what its signature says, and nothing else is
decoded. Errors of our own family cross as themselves, so that a room cannot tell whether it was answered here or there.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar, get_type_hints

import msgspec
import structlog

from valetkey.beside.frames import UNREADABLE, BadFrame, Framed, frame
from valetkey.kernel.errors import RootKeyUnavailable, ValetkeyError
from valetkey.kernel.secret import Secret

T = TypeVar("T")
Verb = Callable[..., Any]

_ASK: Final = 1
_ANSWER: Final = 2
_ERROR: Final = 3
_TELL: Final = 4
_SECONDS: Final = 300.0
_MOST_TELLS: Final = 4 * 1024 * 1024


class Away(RootKeyUnavailable):
    """The other process is not there just now: it is being started again. Nothing was lost, nothing was released."""

    code = "vault_away"


class _Asked(msgspec.Struct, array_like=True, frozen=True):
    id: int
    verb: str
    arguments: msgspec.Raw


class _Answered(msgspec.Struct, array_like=True, frozen=True):
    id: int
    value: msgspec.Raw


class _Failed(msgspec.Struct, array_like=True, frozen=True):
    id: int
    error: str
    message: str
    hint: str
    more: dict[str, str | float | bool | None]


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        # Revealed to cross to the process that seals it, or that it is meant for; what comes out of the vault is boxed.
        return value.reveal()
    raise TypeError(f"{type(value).__name__} does not cross between processes")


def _made(wanted: type, value: Any) -> Any:
    if wanted is Secret and isinstance(value, bytes):
        return Secret(value)
    raise TypeError(f"{wanted.__name__} does not cross between processes")


_encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_asked = msgspec.msgpack.Decoder(_Asked)
_answered = msgspec.msgpack.Decoder(_Answered)
_failed = msgspec.msgpack.Decoder(_Failed)


class Verbs:
    """What one side may be asked: functions by name. Their annotations are the types of what they take."""

    def __init__(self, verbs: Mapping[str, Verb]) -> None:
        self._verbs: dict[str, Verb] = {}
        self._decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {}
        self.open(verbs)

    def open(self, verbs: Mapping[str, Verb]) -> None:
        """These may be asked, too, from now on."""
        self._verbs.update(verbs)
        self._decoders.update({name: _decoder_of(name, verb) for name, verb in verbs.items()})

    def ask(self, verb: str, arguments: msgspec.Raw) -> Any:
        """The answer, or an awaitable of it. Raises `BadFrame` for another verb or other arguments."""
        decoder = self._decoders.get(verb)
        if decoder is None:
            raise BadFrame
        try:
            taken = decoder.decode(arguments)
        except UNREADABLE as error:
            raise BadFrame from error
        return self._verbs[verb](**{name: getattr(taken, name) for name in taken.__struct_fields__})


def _decoder_of(name: str, verb: Verb) -> msgspec.msgpack.Decoder[Any]:
    hints = get_type_hints(verb)
    fields = []
    for parameter in inspect.signature(verb).parameters.values():
        kind = hints[parameter.name]
        fields.append((parameter.name, kind) if parameter.default is parameter.empty else
                      (parameter.name, kind, parameter.default))  # fmt: skip
    shape = msgspec.defstruct(f"_{name}", fields, kw_only=True, forbid_unknown_fields=True)
    return msgspec.msgpack.Decoder(shape, dec_hook=_made)


class Channel(Framed):
    """Both ends are alike: each asks, each answers what its `verbs` know. `lost` is told once when it has ended."""

    def __init__(self, verbs: Verbs, *, lost: Callable[[], None]) -> None:
        super().__init__()
        self._verbs = verbs
        self._tell_lost = lost
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._last = 0
        self._decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # At zero uvloop writes at once instead of at the end of the loop's turn; what does not fit waits in memory.
        self.transport.set_write_buffer_limits(high=0, low=0)

    def pause_writing(self) -> None:
        """Questions are bounded by those who ask, answers by the questions."""

    def resume_writing(self) -> None:
        """See above."""

    async def ask(self, verb: str, wanted: type[T] | Any, **arguments: object) -> T:
        """The answer of the other process, which is a `wanted`. Raises what the verb raised there, or `Away`."""
        if not self.is_open:
            raise _away()
        self._last += 1
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[self._last] = waiting
        number = self._last
        try:
            self.transport.write(frame(_ASK, _encode(_Asked(number, verb, msgspec.Raw(_encode(arguments))))))
            async with asyncio.timeout(_SECONDS):
                answer = await waiting
        except TimeoutError as error:
            raise _away() from error
        finally:
            self._waiting.pop(number, None)
        decoder = self._decoders.get(wanted)
        if decoder is None:
            decoder = self._decoders[wanted] = msgspec.msgpack.Decoder(wanted, dec_hook=_made)
        return decoder.decode(answer)  # type: ignore[no-any-return]  # a decoder of `wanted`

    def tell(self, verb: str, **arguments: object) -> None:
        """As `ask`, and no answer comes; what is asked or told after this is heard after it."""
        if self.is_open:
            self.transport.write(frame(_TELL, _encode(_Asked(0, verb, msgspec.Raw(_encode(arguments))))))
            if self.transport.get_write_buffer_size() > _MOST_TELLS:
                self.transport.abort()  # it does not listen any more: better ended, and started anew

    # --- what comes ---------------------------------------------------------------------------------------------------

    def frame_received(self, kind: int, payload: memoryview) -> None:
        try:
            if kind == _ANSWER:
                answer = _answered.decode(payload)
                self._settle(answer.id, bytes(answer.value), None)
            elif kind == _ERROR:
                failed = _failed.decode(payload)
                self._settle(failed.id, b"", _error_from(failed))
            elif kind in (_ASK, _TELL):
                asked = _asked.decode(payload)
                self._answer(asked, wants_answer=kind == _ASK)
            else:
                raise BadFrame
        except UNREADABLE as error:
            raise BadFrame from error

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(_away())
        for task in list(self._answering):
            task.cancel()
        self._tell_lost()

    def _settle(self, number: int, answer: bytes, error: BaseException | None) -> None:
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            return
        if error is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(answer)

    def _answer(self, asked: _Asked, *, wants_answer: bool) -> None:
        try:
            answer = self._verbs.ask(asked.verb, asked.arguments)
        except ValetkeyError as error:
            self._say_error(asked.id, error, wants_answer)
            return
        if inspect.isawaitable(answer):
            task = asyncio.get_running_loop().create_task(self._answer_later(asked.id, answer, wants_answer))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        elif wants_answer:
            self._say(frame(_ANSWER, _encode(_Answered(asked.id, msgspec.Raw(_encode(answer))))))

    async def _answer_later(self, number: int, answer: Awaitable[Any], wants_answer: bool) -> None:
        try:
            value = await answer
        except Exception as error:  # noqa: BLE001 – the outermost door of this process: the other one must hear of it
            self._say_error(number, error, wants_answer)
            return
        if wants_answer:
            self._say(frame(_ANSWER, _encode(_Answered(number, msgspec.Raw(_encode(value))))))

    def _say_error(self, number: int, error: Exception, wants_answer: bool) -> None:
        if not isinstance(error, ValetkeyError):  # never its text: it may hold anything
            structlog.get_logger(__name__).error("a question failed", error=type(error).__name__, where=_where(error))
        if wants_answer:
            self._say(frame(_ERROR, _encode(_error_for(number, error))))

    def _say(self, said: bytearray) -> None:
        if self.is_open:
            self.transport.write(said)


def _error_for(number: int, error: Exception) -> _Failed:
    if not isinstance(error, ValetkeyError):
        return _Failed(number, "", f"{type(error).__name__} in the other process; its log says more.", "", {})
    more = {name: value for name, value in vars(error).items() if name not in ("message", "hint")}
    return _Failed(number, type(error).__qualname__, error.message, error.hint, more)


def _error_from(failed: _Failed) -> ValetkeyError:
    kind = _family(ValetkeyError).get(failed.error, Away)
    error = kind.__new__(kind)
    ValetkeyError.__init__(error, failed.message, hint=failed.hint)
    for name, value in failed.more.items():
        setattr(error, name, value)
    return error


def _family(root: type[ValetkeyError]) -> dict[str, type[ValetkeyError]]:
    found = {root.__qualname__: root}
    for child in root.__subclasses__():
        found.update(_family(child))
    return found


def _where(error: Exception) -> str:
    """The line that raised it, without what was in it."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else ""


def _away() -> Away:
    return Away("The vault's process is being started again.", hint="Try again in a moment.")
