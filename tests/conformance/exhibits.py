"""What the reference upstream holds: the tools, prompts and resources that the conformance suite asks for by name."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio

from tests.conformance.asking import Call, Json, Refused, elicitation, roots, sampling

PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SILENCE: Final = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
PAUSE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Tool:
    """`run` returns content blocks; what it raises as `Refused` is the tool's own failure."""

    name: str
    description: str
    run: Callable[[Call], Awaitable[Sequence[Json]]]
    schema: Json = field(default_factory=lambda: {"type": "object", "properties": {}})

    def listed(self) -> Json:
        return {"name": self.name, "description": self.description, "inputSchema": self.schema}


@dataclass(frozen=True, slots=True)
class Prompt:
    name: str
    description: str
    run: Callable[[Call], Awaitable[Sequence[Json]]]
    arguments: tuple[str, ...] = ()

    def listed(self) -> Json:
        given = [{"name": name, "description": f"The {name} to use", "required": True} for name in self.arguments]
        return {"name": self.name, "description": self.description, "arguments": given}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def image() -> Json:
    return {"type": "image", "data": PIXEL, "mimeType": "image/png"}


def embedded(uri: str, kind: str, words: str) -> Json:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": words}}


def always(*blocks: Json) -> Callable[[Call], Awaitable[Sequence[Json]]]:
    async def run(_call: Call) -> Sequence[Json]:
        return blocks

    return run


# --- tools that work, fail, and take their time -----------------------------------------------------------------------


async def fail(_call: Call) -> Sequence[Json]:
    raise Refused("This tool intentionally returns an error for testing")


async def log_thrice(call: Call) -> Sequence[Json]:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await call.log(words)
        await anyio.sleep(PAUSE)
    return [text("Three messages were logged.")]


async def make_progress(call: Call) -> Sequence[Json]:
    for done in (0, 50, 100):
        await call.progress(done, 100)
        await anyio.sleep(PAUSE)
    return [text("Progress went from 0 to 100.")]


async def drop_the_stream(call: Call) -> Sequence[Json]:
    """Closes the event stream in the middle of the call; a client that polls gets the rest (SEP-1699)."""
    if call.context.close_sse_stream is not None:
        await call.context.close_sse_stream()
        await anyio.sleep(4 * PAUSE)
    return [text("The call went on without its stream.")]


async def echo_region(call: Call) -> Sequence[Json]:
    return [text(f"region={call.arguments.get('region')}")]


async def echo_arguments(call: Call) -> Sequence[Json]:
    return [text(json.dumps(dict(call.arguments)))]


# --- tools that ask ---------------------------------------------------------------------------------------------------

NAME: Final = {"name": {"type": "string"}}
GREETING: Final = elicitation("What is your name?", NAME, required=["name"])
CONFIRMATION: Final = elicitation("Please confirm", {"ok": {"type": "boolean"}}, required=["ok"])
DEFAULTS: Final = {
    "name": {"type": "string", "description": "User name", "default": "John Doe"},
    "age": {"type": "integer", "description": "User age", "default": 30},
    "score": {"type": "number", "description": "User score", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "description": "Verification status", "default": True},
}
_PLAIN: Final = ["option1", "option2", "option3"]
_TITLED: Final = [{"const": f"value{n}", "title": f"{word} option"} for n, word in enumerate(("First", "Second"), 1)]
ENUMS: Final = {
    "untitledSingle": {"type": "string", "enum": _PLAIN},
    "titledSingle": {"type": "string", "oneOf": _TITLED},
    "legacyEnum": {"type": "string", "enum": _PLAIN, "enumNames": ["Option One", "Option Two", "Option Three"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _PLAIN}},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
}
ACCOUNT: Final = {
    "username": {"type": "string", "description": "User's response"},
    "email": {"type": "string", "description": "User's email address"},
}


def _said(answer: Json) -> str:
    return f"action={answer['action']}, content={json.dumps(answer.get('content', {}))}"


def _form_answer(answer: object) -> Json:
    """The answer to a form, looked at: it comes from outside."""
    if not isinstance(answer, dict) or "action" not in answer:
        raise Refused("That is not the answer to a form.")
    return answer


async def sample(call: Call) -> Sequence[Json]:
    asked = await call.ask({"completion": sampling(str(call.arguments.get("prompt", "")), at_most=100)})
    return [text(f"LLM response: {asked['completion']['content']['text']}")]


async def elicit(call: Call) -> Sequence[Json]:
    message = str(call.arguments.get("message", ""))
    asked = await call.ask({"user": elicitation(message, ACCOUNT, required=["username", "email"])})
    return [text(f"User response: {_said(_form_answer(asked['user']))}")]


async def elicit_defaults(call: Call) -> Sequence[Json]:
    asked = await call.ask({"user": elicitation("Please look over your details", DEFAULTS)})
    return [text(f"Elicitation completed: {_said(_form_answer(asked['user']))}")]


async def elicit_enums(call: Call) -> Sequence[Json]:
    asked = await call.ask({"user": elicitation("Please choose", ENUMS)})
    return [text(f"Elicitation completed: {_said(_form_answer(asked['user']))}")]


async def greet(call: Call) -> Sequence[Json]:
    asked = _form_answer((await call.ask({"user_name": GREETING}))["user_name"])
    return [text(f"Hello, {asked.get('content', {}).get('name', 'stranger')}!")]


async def ask_the_model(call: Call) -> Sequence[Json]:
    asked = await call.ask({"capital_question": sampling("What is the capital of France?", at_most=100)})
    return [text(str(asked["capital_question"]["content"]["text"]))]


async def ask_for_roots(call: Call) -> Sequence[Json]:
    asked = await call.ask({"client_roots": roots()})
    return [text(f"Roots: {', '.join(root['uri'] for root in asked['client_roots']['roots'])}")]


async def confirm(call: Call) -> Sequence[Json]:
    await call.ask({"confirm": CONFIRMATION}, remember=True)
    return [text("state-ok")]


async def ask_everything(call: Call) -> Sequence[Json]:
    requests = {
        "user_name": GREETING,
        "greeting": sampling("Generate a greeting", at_most=50),
        "client_roots": roots(),
    }
    asked = await call.ask(requests, remember=True)
    return [text(f"Answered: {', '.join(sorted(asked))}")]


async def ask_twice(call: Call) -> Sequence[Json]:
    first = elicitation("Step 1: What is your name?", NAME, required=["name"])
    color = {"color": {"type": "string"}}
    second = elicitation("Step 2: What is your favorite color?", color, required=["color"])
    name = await call.ask({"step1": first}, remember=True)
    liked = await call.ask({"step2": second}, remember=True)
    return [text(f"{_said(_form_answer(name['step1']))}; {_said(_form_answer(liked['step2']))}")]


async def ask_what_is_possible(call: Call) -> Sequence[Json]:
    """Asks only what the client declared that it answers."""
    wanted = {"user_name": GREETING, "greeting": sampling("Generate a greeting", at_most=50), "client_roots": roots()}
    asked = await call.ask({key: one for key, one in wanted.items() if call.declares(str(one["method"]))})
    return [text(f"Answered: {', '.join(sorted(asked)) or 'nothing could be asked'}")]


async def require_sampling(call: Call) -> Sequence[Json]:
    await call.ask({"completion": sampling("Are you there?", at_most=10)})
    return [text("The client can sample.")]


# --- prompts ----------------------------------------------------------------------------------------------------------


def said(*blocks: Json) -> list[Json]:
    return [{"role": "user", "content": block} for block in blocks]


async def prompt_with_arguments(call: Call) -> Sequence[Json]:
    first, second = call.arguments.get("arg1"), call.arguments.get("arg2")
    return said(text(f"Prompt with arguments: arg1='{first}', arg2='{second}'"))


async def prompt_with_resource(call: Call) -> Sequence[Json]:
    uri = str(call.arguments.get("resourceUri"))
    there = embedded(uri, "text/plain", "Embedded resource content for testing.")
    return said(there, text("Please process the embedded resource above."))


async def prompt_in_context(call: Call) -> Sequence[Json]:
    form = elicitation("What context should the prompt use?", {"context": {"type": "string"}}, required=["context"])
    asked = _form_answer((await call.ask({"user_context": form}))["user_context"])
    return said(text(f"In this context: {asked.get('content', {}).get('context')}"))


# --- the lists --------------------------------------------------------------------------------------------------------


def takes(**properties: str) -> Json:
    """A schema of required strings, each with what it means."""
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": what} for name, what in properties.items()},
        "required": list(properties),
    }


REGION: Final[Json] = {
    "type": "object",
    "properties": {"region": {"type": "string", "description": "Where to look", "x-mcp-header": "Region"}},
}
ADDRESSES: Final[Json] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

_MIXED: Final = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
_EMBEDDED: Final = embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")

TOOLS: Final = (
    Tool("test_simple_text", "Answers with text", always(text("This is a simple text response for testing."))),
    Tool("test_image_content", "Answers with an image", always(image())),
    Tool(
        "test_audio_content",
        "Answers with sound",
        always({"type": "audio", "data": SILENCE, "mimeType": "audio/wav"}),
    ),
    Tool("test_embedded_resource", "Answers with a resource", always(_EMBEDDED)),
    Tool(
        "test_multiple_content_types",
        "Answers with text, an image and a resource",
        always(text("Multiple content types test:"), image(), _MIXED),
    ),
    Tool("test_error_handling", "Always fails", fail),
    Tool("test_tool_with_logging", "Logs three messages", log_thrice),
    Tool("test_logging_tool", "Logs, for whoever asked for it", log_thrice),
    Tool("test_tool_with_progress", "Reports its progress", make_progress),
    Tool("test_reconnection", "Closes its stream in the middle of the call", drop_the_stream),
    Tool("test_sampling", "Asks the client's model", sample, takes(prompt="What to ask it")),
    Tool("test_elicitation", "Asks the person", elicit, takes(message="What to say to them")),
    Tool("test_streaming_elicitation", "Asks the person for their name", greet),
    Tool("test_elicitation_sep1034_defaults", "Asks with a default for each type", elicit_defaults),
    Tool("test_elicitation_sep1330_enums", "Asks for choices of each kind", elicit_enums),
    Tool("test_missing_capability", "Needs a client that can sample", require_sampling),
    Tool("test_input_required_result_elicitation", "Asks for a name", greet),
    Tool("test_input_required_result_sampling", "Asks the model for a capital", ask_the_model),
    Tool("test_input_required_result_list_roots", "Asks for the roots", ask_for_roots),
    Tool("test_input_required_result_request_state", "Asks, and wants its state back", confirm),
    Tool("test_input_required_result_tampered_state", "Asks, and wants its state back untouched", confirm),
    Tool("test_input_required_result_multiple_inputs", "Asks three things at once", ask_everything),
    Tool("test_input_required_result_multi_round", "Asks, and asks again", ask_twice),
    Tool("test_input_required_result_capabilities", "Asks what the client can answer", ask_what_is_possible),
    Tool("test_x_mcp_header", "Takes an argument that travels in a header, too", echo_region, REGION),
    Tool("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", echo_arguments, ADDRESSES),
)

PROMPTS: Final = (
    Prompt("test_simple_prompt", "Without arguments", always(*said(text("This is a simple prompt for testing.")))),
    Prompt("test_prompt_with_arguments", "With two arguments", prompt_with_arguments, ("arg1", "arg2")),
    Prompt("test_prompt_with_embedded_resource", "With a resource in it", prompt_with_resource, ("resourceUri",)),
    Prompt(
        "test_prompt_with_image",
        "With an image in it",
        always(*said(image(), text("Please analyze the image above."))),
    ),
    Prompt("test_input_required_result_prompt", "Asks for its context", prompt_in_context),
)

TEMPLATE: Final = "test://template/{id}/data"
RESOURCES: Final[dict[str, Json]] = {
    "test://static-text": {"mimeType": "text/plain", "text": "This is the content of the static text resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": PIXEL},
    "test://watched-resource": {"mimeType": "text/plain", "text": "Watch this."},
}
