"""What a service may ask of the client within a call: elicitation, sampling, roots; in the words of both eras.

A legacy server sends a request of its own on the stream of the call. A modern one answers `input_required` and is
called again with the answers (SEP-2322). The question and its answer are the same bytes in both.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from enum import IntFlag
from typing import Final

import msgspec

from valetkey.protocol.errors import (
    INVALID_PARAMS,
    MISSING_CLIENT_CAPABILITY,
    URL_ELICITATION_REQUIRED,
    Rejected,
)
from valetkey.protocol.jsonrpc import error_object, members, read_error
from valetkey.protocol.versions import LEGACY

ELICITATION: Final = "elicitation/create"
SAMPLING: Final = "sampling/createMessage"
ROOTS: Final = "roots/list"

MAX_QUESTIONS: Final = 16
"""Questions in one `input_required`; a person will not read more."""
MAX_STATE: Final = 64 * 1024
"""Characters of a `requestState`, ours and a service's."""

_NOTHING: Final = msgspec.Raw(b"")
_encode: Final = msgspec.json.encode


class Asks(IntFlag):
    """What a client declared that it answers. One byte, which goes into a legacy session's id."""

    NOTHING = 0
    URLS = 1
    FORMS = 2
    SAMPLING = 4
    SAMPLING_TOOLS = 8
    SAMPLING_CONTEXT = 16
    ROOTS = 32
    TASKS = 64
    APPS = 128


EVERYTHING: Final = Asks(255)
QUESTIONS: Final = Asks(63)
"""What a service can really ask; the others are extensions that a client understands (SEP-2663, SEP-1865)."""
_EXTENSIONS: Final[Mapping[str, tuple[Asks, Mapping[str, object]]]] = {
    "io.modelcontextprotocol/tasks": (Asks.TASKS, {}),
    "io.modelcontextprotocol/ui": (Asks.APPS, {"mimeTypes": ["text/html;profile=mcp-app"]}),
}


class _Elicitation(msgspec.Struct, gc=False):
    form: msgspec.Raw = _NOTHING
    url: msgspec.Raw = _NOTHING


class _Sampling(msgspec.Struct, gc=False):
    tools: msgspec.Raw = _NOTHING
    context: msgspec.Raw = _NOTHING


class _Declared(msgspec.Struct, gc=False):
    elicitation: msgspec.Raw = _NOTHING
    sampling: msgspec.Raw = _NOTHING
    roots: msgspec.Raw = _NOTHING
    extensions: msgspec.Raw = _NOTHING


_decode_declared = msgspec.json.Decoder(_Declared).decode
_decode_elicitation = msgspec.json.Decoder(_Elicitation).decode
_decode_sampling = msgspec.json.Decoder(_Sampling).decode


@functools.lru_cache(maxsize=512)
def declared(capabilities: bytes, *, version: str) -> Asks:
    """What raw client capabilities say, for a client of `version`; what is malformed was not declared.

    Elicitation exists since 2025-06-18, its URL mode since 2025-11-25; `{}` means forms (client: elicitation).
    """
    found = Asks.NOTHING
    try:
        said = _decode_declared(capabilities)
        if _is_object(said.elicitation) and version >= "2025-06-18":
            modes = _decode_elicitation(said.elicitation)
            if _is_object(modes.url) and version >= LEGACY[0]:
                found |= Asks.URLS
            if _is_object(modes.form) or not _is_object(modes.url):
                found |= Asks.FORMS
        if _is_object(said.sampling):
            found |= Asks.SAMPLING
            parts = _decode_sampling(said.sampling)
            found |= Asks.SAMPLING_TOOLS if _is_object(parts.tools) else Asks.NOTHING
            found |= Asks.SAMPLING_CONTEXT if _is_object(parts.context) else Asks.NOTHING
        if _is_object(said.roots):
            found |= Asks.ROOTS
        if _is_object(said.extensions):
            names = members(bytes(said.extensions))
            for name, (flag, _settings) in _EXTENSIONS.items():
                if name in names and (flag is not Asks.TASKS or version > LEGACY[0]):
                    found |= flag
    except msgspec.MsgspecError:
        return Asks.NOTHING
    return found


def _is_object(raw: msgspec.Raw) -> bool:
    return bytes(raw)[:1] == b"{"


@functools.cache
def declaration(asks: Asks) -> bytes:
    """Client capabilities for a server, as raw JSON: what the client of this very request declared, nothing else."""
    made: dict[str, dict[str, object]] = {}
    if asks & (Asks.FORMS | Asks.URLS):
        # A server of before 2025-11-25 knows no modes: `{}` is what it expects, and means forms.
        modes: dict[str, object] = {
            name: {} for name, flag in (("form", Asks.FORMS), ("url", Asks.URLS)) if asks & flag
        }
        made["elicitation"] = modes if asks & (Asks.FORMS | Asks.URLS) != Asks.FORMS else {}
    if asks & Asks.SAMPLING:
        parts = (("tools", Asks.SAMPLING_TOOLS), ("context", Asks.SAMPLING_CONTEXT))
        made["sampling"] = {name: {} for name, flag in parts if asks & flag}
    if asks & Asks.ROOTS:
        made["roots"] = {}
    if asks & ~QUESTIONS:
        made["extensions"] = {name: settings for name, (flag, settings) in _EXTENSIONS.items() if asks & flag}
    return _encode(made)


class Question(msgspec.Struct, frozen=True, gc=False):
    """One thing that is asked: the method and its raw `params` (an object, or nothing)."""

    method: str
    params: bytes


class Told(msgspec.Struct, frozen=True, gc=False):
    """The answer to a question: `result` or `error` (an error object) as raw JSON, the other one is empty."""

    result: bytes = b""
    error: bytes = b""


class _Form(msgspec.Struct, gc=False):
    mode: str = "form"


class _WithTools(msgspec.Struct, gc=False):
    tools: msgspec.Raw = _NOTHING
    choice: msgspec.Raw = msgspec.field(default=_NOTHING, name="toolChoice")


_decode_form = msgspec.json.Decoder(_Form).decode
_decode_with_tools = msgspec.json.Decoder(_WithTools).decode


def needed(question: Question) -> Asks:
    """What a client must have declared to be asked this; `NOTHING` for what no client can be asked."""
    params = question.params or b"{}"
    try:
        match question.method:
            case "elicitation/create":
                mode = _decode_form(params).mode
                return {"form": Asks.FORMS, "url": Asks.URLS}.get(mode, Asks.NOTHING)
            case "sampling/createMessage":
                extra = _decode_with_tools(params)
                return Asks.SAMPLING | (Asks.SAMPLING_TOOLS if extra.tools or extra.choice else Asks.NOTHING)
            case "roots/list":
                return Asks.ROOTS
    except msgspec.MsgspecError:
        pass
    return Asks.NOTHING


def required_capabilities(capabilities: bytes) -> bytes:
    """`data` of error -32021: the capabilities that were missing, from their raw object."""
    return b'{"requiredCapabilities":%b}' % capabilities


# --- `input_required` ---------------------------------------------------------------------------------------------


class Required(msgspec.Struct, frozen=True, gc=False):
    """A modern server's `input_required`: its questions by key, and its `requestState` as raw JSON (empty: none)."""

    questions: Mapping[str, Question]
    state: bytes


class _RawQuestion(msgspec.Struct, gc=False):
    method: str
    params: msgspec.Raw = _NOTHING


class _RawRequired(msgspec.Struct, gc=False):
    type: str = msgspec.field(default="", name="resultType")
    requests: dict[str, _RawQuestion] = msgspec.field(default_factory=dict, name="inputRequests")
    state: msgspec.Raw = msgspec.field(default=_NOTHING, name="requestState")


_decode_required = msgspec.json.Decoder(_RawRequired).decode


def read_required(result: bytes) -> Required | None:
    """The questions in a scanned result of type `input_required`; `None` when it is none, or not well formed."""
    try:
        found = _decode_required(result)
    except msgspec.MsgspecError:
        return None
    state = bytes(found.state)
    if found.type != "input_required" or not (found.requests or state) or len(found.requests) > MAX_QUESTIONS:
        return None
    if state and (state[:1] != b'"' or len(state) > MAX_STATE):
        return None
    questions = {key: Question(one.method, bytes(one.params)) for key, one in found.requests.items()}
    return Required(questions, state)


class _Page(msgspec.Struct, gc=False):
    url: str
    message: str = ""


class _Pages(msgspec.Struct, gc=False):
    elicitations: list[_Page]


_decode_pages = msgspec.json.Decoder(_Pages).decode


def read_required_error(error: bytes) -> Mapping[str, Question] | None:
    """The pages to be opened first, out of error -32042 of 2025-11-25; `None` for any other error, or a broken one."""
    try:
        found = read_error(error)
        if found.code != URL_ELICITATION_REQUIRED:
            return None
        pages = _decode_pages(found.data).elicitations
    except (Rejected, msgspec.MsgspecError):
        return None
    if not 0 < len(pages) <= MAX_QUESTIONS:
        return None
    return {
        f"page_{number}": Question(ELICITATION, _encode({"mode": "url", "message": page.message, "url": page.url}))
        for number, page in enumerate(pages, 1)
    }


def required_error(questions: Iterable[Question]) -> bytes:
    """Error -32042 with these pages."""
    pages = b",".join(one.params for one in questions)
    return error_object(URL_ELICITATION_REQUIRED, "Pages have to be opened first.", b'{"elicitations":[%b]}' % pages)


class _Capabilities(msgspec.Struct, gc=False):
    required: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"{}"), name="requiredCapabilities")


_decode_capabilities = msgspec.json.Decoder(_Capabilities).decode


def read_missing(error: bytes) -> bytes | None:
    """The capabilities (raw object) that error -32021 wants; `None` for any other error."""
    try:
        found = read_error(error)
        if found.code != MISSING_CLIENT_CAPABILITY:
            return None
        required = _decode_capabilities(found.data or b"{}").required
    except (Rejected, msgspec.MsgspecError):
        return None
    return bytes(required) if _is_object(required) else b"{}"


def required_result(questions: Mapping[str, Question], state: str) -> bytes:
    """An `input_required` of ours."""
    asked = _object(
        (key, b'{"method":%b,"params":%b}' % (_encode(one.method), one.params or b"{}"))
        for key, one in questions.items()
    )
    parts: list[tuple[str, bytes]] = [("resultType", b'"input_required"')]
    if questions:
        parts.append(("inputRequests", asked))
    return _object([*parts, ("requestState", _encode(state))])


class Answered(msgspec.Struct, frozen=True, gc=False):
    """What a retried request brings: answers by key (raw objects), and the state that was given with the questions.

    `state` is empty when the request brings none; `raw` is `inputResponses` as it came, empty when there is none.
    """

    raw: bytes = b""
    state: str = ""

    def __bool__(self) -> bool:
        return bool(self.raw or self.state)

    def members(self) -> Mapping[str, msgspec.Raw]:
        """The answers as a member of `params`, for the record; the state says nothing to anybody."""
        return {"inputResponses": msgspec.Raw(self.raw)} if self.raw else {}

    def by_key(self) -> Mapping[str, bytes]:
        return {key: bytes(value) for key, value in members(self.raw).items()} if self.raw else {}


NOT_ANSWERED: Final = Answered()


def answered(params: Mapping[str, msgspec.Raw]) -> Answered:
    """The answers among the `params` of a modern request. Raises `Rejected` (-32602) for what is no set of answers."""
    if "inputResponses" not in params and "requestState" not in params:
        return NOT_ANSWERED
    raw = bytes(params.get("inputResponses", b""))
    try:
        state = msgspec.json.decode(params["requestState"], type=str) if "requestState" in params else ""
    except msgspec.MsgspecError as error:
        raise Rejected("params.requestState must be a string.", rpc_code=INVALID_PARAMS) from error
    if len(state) > 2 * MAX_STATE or ("requestState" in params and not state):
        raise Rejected("This requestState was not made here.", rpc_code=INVALID_PARAMS)
    if raw:
        try:
            fine = all(_is_object(value) for value in members(raw).values())
        except Rejected:
            fine = False
        if not fine:
            raise Rejected("params.inputResponses must be an object of answers.", rpc_code=INVALID_PARAMS)
    return Answered(raw, state)


def _object(parts: Iterable[tuple[str, bytes]]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (_encode(key), value) for key, value in parts)


def answers_object(answers: Iterable[tuple[str, bytes]]) -> bytes:
    """`inputResponses` from raw answers by key."""
    return _object(answers)
