"""A hub as people run it, with a sample service connected and its reading tools switched on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real import apart
from tests.real.node import Node, installed
from valetkey.demo.run import started
from valetkey.demo.story.browser import Browser, Page
from valetkey.demo.story.play import PASSWORD, story


@dataclass(frozen=True, slots=True)
class Connected:
    """A running hub whose owner has connected the sample service; `token` is one of the owner's for `/mcp`."""

    url: str
    connectors: tuple[str, ...]
    token: str

    def agree(self, authorization_url: str, *, stop_at: str = "no such URL") -> Page:
        """What the owner does with the address an assistant opens: sign in, read, allow. Where that leads.

        A redirect to `stop_at` is not followed: there, nobody listens.
        """
        browser = Browser(stop_at=stop_at)
        try:
            page = browser.open(authorization_url)
            assert page.path == "/signin", page.text
            page = browser.press("Sign in", {"login": "owner", "password": PASSWORD})
            assert page.path == "/oauth/authorize", page.text
            return browser.press("Allow")
        finally:
            browser.close()


@pytest.fixture(scope="session")
def node() -> Node:
    return installed()


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of Python programs that live in an environment of their own."""
    return apart.installed()


@pytest.fixture(scope="module")  # each its own: a hub lets one address register ten clients an hour
def hub() -> Iterator[Connected]:
    with started(sys.executable) as (running, sample, _process), story(running, sample, lambda *_said: None) as told:
        for step in (told.sign_in, told.add_connector, told.review, told.connect, told.switch_on, told.create_token):
            step()
        listed = running.command("connector", "list", "--user", "owner")
        added = tuple(one["slug"] for one in listed["items"] if one["state"] != "listed")
        yield Connected(running.url, added, told.token)
