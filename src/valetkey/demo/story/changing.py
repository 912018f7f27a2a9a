"""The part of the story in which the service changes a tool that ada accepted: nobody calls it before she looked."""

from __future__ import annotations

import re
from collections.abc import Callable

from valetkey.demo.neighborhood import Sample
from valetkey.demo.notes import TOOLS
from valetkey.demo.story.assistant import Assistant, Failed, text_of
from valetkey.demo.story.browser import Browser
from valetkey.demo.story.hub import expect

BEFORE = str(TOOLS["read_note"].description["description"])
AFTER = "Returns the text of one note, and of the notes beside it."


def changed_and_held(
    sample: Sample, owner: Browser, page: str, assistant: Assistant, tool: str, calls: Callable[[], list[str]]
) -> str:
    """The tool is neither listed nor called; the page shows what was accepted beside what is said now."""
    sample.change_tool("read_note", AFTER)
    before = len(calls())
    listed = assistant.list_tools()
    expect(tool not in listed, f"{tool} is listed as changed")
    expect(AFTER not in str(listed), "the new words reached the assistant")
    said = _refused(assistant, tool)
    expect(len(calls()) == before, "the service saw the call")
    shown = owner.open(f"{page}/changes")
    for words in (BEFORE, AFTER):
        expect(shown.has(words), f"“{shown.title}” does not show “{words}”")
    return f"“{said}”; “{shown.title}”: “{BEFORE}” → “{AFTER}”"


def accepted_and_called(owner: Browser, page: str, assistant: Assistant, tool: str) -> str:
    """What she had said was about another definition: she accepts this one, and is asked for it anew."""
    owner.open(f"{page}/changes")
    owner.press("Accept this change")
    asked = text_of(assistant.call(tool, id="n1"))
    where = re.search(r"https?://\S+/approvals/\w+", asked)
    expect(where is not None, f"no way to say yes anew: {asked}")
    owner.open(where[0] if where else "")
    owner.press("Allow this tool from now on")
    listed, result = assistant.list_tools(), assistant.call(tool, id="n1")
    expect(listed[tool]["description"] == AFTER, f"{tool} is not listed as accepted")
    expect(not result.get("isError") and "Bernoulli" in text_of(result), f"the call was not made: {text_of(result)}")
    return f"accepted; asked for anew; then “{text_of(result).splitlines()[0]}”"


def _refused(assistant: Assistant, tool: str) -> str:
    try:
        result = assistant.call(tool, id="n1")
    except Failed as failed:
        return str(failed)
    expect(result.get("isError") is True, f"{tool} was called: {text_of(result)}")
    return text_of(result)
