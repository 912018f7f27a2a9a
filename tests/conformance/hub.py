"""A hub as people run it, with an owner who has signed in: what the conformance roles are played against."""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from valetkey.demo.neighborhood import NotStarted, running
from valetkey.demo.story.authenticator import Authenticator
from valetkey.demo.story.browser import Browser, Page
from valetkey.demo.story.confirming import add_passkey
from valetkey.demo.story.play import PASSWORD

OWNER = "owner"
CLIENT_DOCUMENT = "https://conformance-test.local/client-metadata.json"
"""The suite takes this client id for one with a document, and does not fetch it."""


class NotConnected(Exception):
    """The way to a connection ended before it was there; the message is what the page said."""


@dataclass(frozen=True, slots=True)
class Account:
    """A connected account: the connector's slug, and its own page."""

    slug: str
    page: str

    @property
    def path(self) -> str:
        return f"/c/{self.slug}/mcp"


@dataclass(slots=True)
class Hub:
    """`operator` speaks to the control socket, `browser` is the owner's, as is the passkey."""

    url: str
    operator: httpx2.Client
    browser: Browser
    key: Authenticator

    def add(self, url: str, kind: str, **auth: str) -> str:
        """The slug of a new custom connector; `kind` says how one signs in there."""
        name = f"Conformance {url.rpartition(':')[2]}"
        new = {"name": name, "url": url, "auth_kind": kind, "auth": auth}
        return str(self._said("/connectors", new)["slug"])

    def remove(self, slug: str) -> None:
        self.operator.delete(f"/connectors/{slug}", params={"person": OWNER})

    def connect(self, slug: str, *, client_secret: str = "") -> Account:
        """What a person does: look, agree, and go where they are sent. Raises `NotConnected`."""
        self.browser.open(f"{self.url}/connections/new/{slug}")
        return Account(slug, self._agree(self.browser.press("Continue"), client_secret))

    def connect_again(self, account: Account) -> Account:
        """The same for an account that needs it anew, or needs more than it has."""
        self.browser.open(account.page)
        return Account(account.slug, self._agree(self.browser.press("Reconnect"), ""))

    def wants_reconnecting(self, account: Account) -> bool:
        return self.browser.open(account.page).has("Reconnect needed")

    def switch_all_on(self, account: Account) -> None:
        """As far as a page lets a person: what is hard to take back is confirmed each time, and cannot be allowed."""
        page = self.browser.open(account.page)
        for form in page.forms:
            allowed = {name: "allow" for name, value in form.choices if name.startswith("say:") and value == "allow"}
            if allowed:
                self.browser.press("Save", allowed, form=form)

    def approve(self, url: str) -> None:
        """A yes to the call that the page shows, with the passkey, since it may be hard to take back."""
        if not self.browser.open(url).has("Approved"):
            given = self.browser.script(f"{url}/options", {})
            self.browser.script(f"{url}/confirm", {"challenge": "", "response": self.key.get(given["options"])})

    def token(self, path: str) -> str:
        """A personal token of the owner's for one MCP path."""
        new = {"name": "Conformance", "resource": path, "ttl_seconds": 3600}
        return str(self._said("/tokens", new)["token"])

    def _said(self, path: str, new: Mapping[str, object]) -> dict[str, Any]:
        answer = self.operator.post(path, params={"person": OWNER}, json=new)
        if answer.status_code >= 400:
            raise NotConnected(f"{path}: {answer.text[:300]}")
        said: dict[str, Any] = answer.json()
        return said

    def _agree(self, page: Page, client_secret: str) -> str:
        if not page.path.startswith("/connections/review/"):
            raise NotConnected(_words(page))
        form = page.form_with(field="facts_hash")
        typed = {"acknowledged": "yes"}
        if client_secret:
            typed["client_secret"] = client_secret
        pressed = next(button.text for button in form.buttons if button.text.startswith(("Continue to", "Connect")))
        page = self.browser.press(pressed, typed, form=form)
        if page.status != 200 or not re.fullmatch(r"/connections/[^/]+", page.path) or not page.has("connected"):
            raise NotConnected(_words(page))
        return page.url.partition("?")[0]


def _words(page: Page) -> str:
    return f"{page.path} ({page.status}) “{page.title}”: {page.text[:600]}"


@contextmanager
def running_hub(log: Path) -> Iterator[Hub]:
    """A hub with temporary data, that may reach loopback and nothing else private."""
    with (
        tempfile.TemporaryDirectory(prefix="valetkey-conformance-") as data,
        tempfile.TemporaryDirectory(prefix="valetkey-conformance-key-") as elsewhere,
        log.open("wb") as written,
    ):
        options = [f"--data={data}", f"--root-key={elsewhere}/root.key", "--port=0"]
        options += ["--allow-network=127.0.0.1/32", "--allow-network=::1/128", f"--client-id-url={CLIENT_DOCUMENT}"]
        options += ["--privacy-policy=template"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VALETKEY_")}
        command = [sys.executable, "-m", "valetkey", "serve", *options]
        with running(command, environment=environment, log=written):
            said = _first_words(log)
            socket_path = str(Path(data, "control.sock"))
            transport = httpx2.HTTPTransport(uds=socket_path)
            browser = Browser()
            with httpx2.Client(transport=transport, base_url="http://hub/api/v1", timeout=60) as operator:
                try:
                    _sign_in(browser, said["sign in"])
                    key = Authenticator(said["ready"])
                    add_passkey(browser, said["ready"], key, _say_who)
                    yield Hub(said["ready"], operator, browser, key)
                finally:
                    browser.close()


def _sign_in(browser: Browser, link: str) -> None:
    browser.open(link)
    browser.press("Continue")
    page = browser.press("Set password", {"password": PASSWORD, "repeat": PASSWORD})
    if page.status != 200:
        raise NotStarted(_words(page))


def _say_who(browser: Browser) -> None:
    if browser.page.has("Is it you?"):
        browser.press("Confirm", {"password": PASSWORD})


def _first_words(log: Path) -> dict[str, str]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        said = dict(re.findall(r"^([a-z ]+): (\S+)$", log.read_text(errors="replace"), re.MULTILINE))
        if said.keys() >= {"ready", "sign in"}:
            return said
        time.sleep(0.05)
    raise NotStarted(f"The hub did not start:\n{log.read_text(errors='replace')[-2000:]}")


@contextmanager
def listener() -> Iterator[tuple[int, int]]:
    """File descriptor and port of a listening socket, for a process to be started on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.fileno(), listening.getsockname()[1]


@contextmanager
def reference_upstream(log: Path, *, legacy_only: bool) -> Iterator[str]:
    """The URL of a running reference upstream."""
    with listener() as (fd, port), log.open("ab") as written:
        command = [sys.executable, "-W", "ignore", "-m", "tests.conformance.upstream", f"--fd={fd}"]
        command += ["--legacy-only"] if legacy_only else []
        with running(command, environment=os.environ, log=written, pass_fds=(fd,)):
            await_answer(f"http://127.0.0.1:{port}/")
            yield f"http://127.0.0.1:{port}/mcp"


def await_answer(url: str) -> None:
    """Returns when somebody answers: the socket listens before its process does, so the first request just waits."""
    httpx2.get(url, trust_env=False, timeout=60)


@contextmanager
def shim(hub: Hub, token: str, log: Path) -> Iterator[str]:
    """The origin at which the hub answers clients that bring no token."""
    with listener() as (fd, port), log.open("ab") as written:
        command = [sys.executable, "-m", "tests.conformance.shim", f"--fd={fd}", f"--to={hub.url}"]
        environment = {**os.environ, "VALETKEY_TOKEN": token}
        with running(command, environment=environment, log=written, pass_fds=(fd,)):
            await_answer(f"http://127.0.0.1:{port}/")
            yield f"http://localhost:{port}"
