"""Where an owner switched a tool's interactive pages off (ORG-16): it is listed without one, and answers with text.

A page that several tools share is still to be had by those that may show it; one that no tool names is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from valetkey.directory.model import Tool
from valetkey.gateway.model import Account
from valetkey.gateway.visible import visible
from valetkey.kernel.errors import Refused
from valetkey.protocol import apps

TEXT_ONLY: Final = "text_only"
"""The rule of a page that is not read."""


def definition(account: Account, tool: Tool) -> bytes:
    """A tool as a client is shown it, before it is put into the words of its revision."""
    raw = visible(tool.raw)
    return apps.without_page(raw) if _is_text_only(account, tool.name) else raw


def answer(account: Account, tool: str, result: bytes) -> bytes:
    """The result of a tool, as its client gets it."""
    return apps.text_result(result) if _is_text_only(account, tool) else result


def task_answer(account: Account, result: bytes) -> bytes:
    """The result of a task, of which is not said which tool it was of: where any is without pages, all are."""
    return apps.text_task(result) if account.connector.rules.text_only_at(account.connector.slug) else result


def check_page(account: Account, uri: str, tools: Iterable[Tool]) -> None:
    """Raises `Refused` for a page that no tool with pages names."""
    if not apps.is_page(uri) or not account.connector.rules.text_only_at(account.connector.slug):
        return
    if not any(apps.page_of(tool.raw) == uri and not _is_text_only(account, tool.name) for tool in tools):
        raise Refused("Your organization has switched this interactive page off.", rule=TEXT_ONLY, path=account.page)


def _is_text_only(account: Account, tool: str) -> bool:
    rules = account.connector.rules
    return bool(rules.text_only) and rules.is_text_only(account.connector.slug, tool)
