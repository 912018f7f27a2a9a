"""A browser without a screen: keeps cookies, follows redirects, reads forms and links from the HTML it is given.

It knows pages the way a person does, by the words on them: what is not on the page cannot be clicked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx2

MOST_REDIRECTS = 12

_VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"))
_SILENT = frozenset(("script", "style", "template"))


class NotThere(Exception):
    """What was to be clicked is not on the page."""


@dataclass(slots=True)
class Button:
    text: str
    name: str = ""
    value: str = ""
    action: str = ""


@dataclass(slots=True)
class Form:
    """A form as it would be sent if nothing was typed; `choices` are checkboxes and options that could be ticked."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    choices: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    buttons: list[Button] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """A page as it was received, after redirects. `codes` are its blocks of code; `moves_on_to` is a refresh."""

    url: str
    status: int
    html: str
    title: str
    text: str
    forms: list[Form]
    links: list[tuple[str, str]]
    codes: list[str] = field(default_factory=list)
    moves_on_to: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def form_with(self, *, button: str = "", field: str = "") -> Form:
        """The first form that has a button with these words on it, and a field of this name."""
        for form in self.forms:
            if (not button or _find_button(form, button)) and (not field or field in form.names):
                return form
        raise NotThere(f"{self.path} ({self.title}) has no form with {button or field!r}")

    def link(self, words: str) -> str:
        for text, href in self.links:
            if words.lower() in text.lower():
                return href
        raise NotThere(f"{self.path} ({self.title}) has no link {words!r}")

    def has(self, words: str) -> bool:
        return words.lower() in self.text.lower()


class Browser:
    """One person's browser. Every request it made is in `visited`, as `METHOD host/path status`.

    A redirect to a URL that begins with `stop_at` is not followed: there, a client on this machine would be listening.
    """

    def __init__(self, *, stop_at: str = "no such URL") -> None:
        self._stop_at = stop_at
        self._origin = "null"
        self._http = httpx2.Client(trust_env=False, timeout=30, headers={"user-agent": "Valetkey-Demo/1.0"})
        self.visited: list[str] = []
        self.page = Page("about:blank", 0, "", "", "", [], [])

    def open(self, url: str) -> Page:
        return self._go("GET", urljoin(self.page.url, url))

    def click(self, words: str) -> Page:
        """Follows the link with these words, else presses the button with them."""
        try:
            return self.open(self.page.link(words))
        except NotThere:
            return self.press(words)

    def press(self, button: str, typed: Mapping[str, str | Sequence[str]] = {}, *, form: Form | None = None) -> Page:
        """Types into the form that has this button, and presses it. A sequence ticks these boxes and no others."""
        form = form or self.page.form_with(button=button)
        pressed = _find_button(form, button)
        if pressed is None:
            raise NotThere(f"{self.page.path} has no button {button!r}")
        if missing := typed.keys() - form.names:
            raise NotThere(f"the form at {self.page.path} has no field {sorted(missing)[0]!r}")
        fields = [(name, value) for name, value in form.fields if name not in typed]
        for name, value in typed.items():
            fields += [(name, value)] if isinstance(value, str) else [(name, one) for one in value]
        if pressed.name:
            fields.append((pressed.name, pressed.value))
        return self._go(form.method, urljoin(self.page.url, pressed.action or form.action), fields)

    def script(self, path: str, value: object) -> dict[str, Any]:
        """As a script on this page posts JSON, with the page's own token. Raises `NotThere` when that is refused."""
        token = next((value for form in self.page.forms for name, value in form.fields if name == "csrf"), "")
        url = urljoin(self.page.url, path)
        headers = {"x-csrf-token": token, "origin": "://".join(urlsplit(url)[:2]), "sec-fetch-site": self._site(url)}
        answer = self._http.post(url, json=value, headers=headers)
        self.visited.append(f"POST {urlsplit(url).netloc}{urlsplit(url).path} {answer.status_code}")
        if answer.status_code != 200:
            raise NotThere(f"{urlsplit(url).path} answered {answer.status_code}: {answer.text[:200]}")
        said: dict[str, Any] = answer.json()
        return said

    def try_to(self, path: str) -> int:
        """The status of posting an empty form of this page there; the browser stays where it is."""
        token = next((value for form in self.page.forms for name, value in form.fields if name == "csrf"), "")
        url = urljoin(self.page.url, path)
        headers = {"origin": self._origin, "sec-fetch-site": self._site(url)}
        return self._http.post(url, data={"csrf": token}, headers=headers).status_code

    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self._http.cookies.jar}

    def close(self) -> None:
        self._http.close()

    def _site(self, url: str) -> str:
        """How a browser calls the way from this page to `url` (Fetch Metadata)."""
        if not self.page.host:
            return "none"
        own, other = urlsplit(self.page.url), urlsplit(url)
        if (own.scheme, own.netloc) == (other.scheme, other.netloc):
            return "same-origin"
        return "same-site" if own.hostname == other.hostname else "cross-site"

    def _go(self, method: str, url: str, fields: Sequence[tuple[str, str]] = ()) -> Page:
        for _ in range(MOST_REDIRECTS):
            url = urldefrag(url).url
            headers = {"sec-fetch-site": self._site(url), "sec-fetch-mode": "navigate"}
            if method == "POST":
                headers |= {"origin": self._origin}
                headers |= {"content-type": "application/x-www-form-urlencoded"}
                body = str(httpx2.QueryParams(list(fields))).encode()
                answer = self._http.post(url, content=body, headers=headers)
            else:
                answer = self._http.get(url, params=list(fields) or None, headers=headers)
            self.visited.append(f"{method} {urlsplit(url).netloc}{urlsplit(url).path} {answer.status_code}")
            if answer.status_code in (301, 302, 303, 307, 308):
                url = urljoin(str(answer.url), answer.headers["location"])
            else:
                self.page = read_page(str(answer.url), answer.status_code, answer.text)
                # A page that hides where it is hides it from forms, too (Fetch, "append a request Origin header").
                hidden = answer.headers.get("referrer-policy") == "no-referrer"
                self._origin = "null" if hidden else str(answer.url.copy_with(path="", query=None, fragment=None))
                if not self.page.moves_on_to:
                    return self.page
                url = urljoin(self.page.url, self.page.moves_on_to)
            if url.startswith(self._stop_at):
                return Page(url, answer.status_code, "", "", "", [], [])
            if answer.status_code < 307:
                method, fields = "GET", ()
        raise NotThere(f"more than {MOST_REDIRECTS} redirects, the last to {urlsplit(url).netloc}")


def read_page(url: str, status: int, html: str) -> Page:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = " ".join(" ".join(reader.words).split())
    title = " ".join(reader.title.split())
    return Page(url, status, html, title, text, reader.forms, reader.links, reader.codes, reader.moves_on_to)


def _find_button(form: Form, words: str) -> Button | None:
    exact = [button for button in form.buttons if button.text.lower() == words.lower()]
    return next(iter(exact + [button for button in form.buttons if words.lower() in button.text.lower()]), None)


class _Reader(HTMLParser):
    """Collects forms, links and the words a person would read."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.codes: list[str] = []
        self.title = ""
        self.moves_on_to = ""
        self._open: list[str] = []
        self._form: Form | None = None
        self._by_id: dict[str, Form] = {}
        self._button: tuple[Button, int] | None = None
        self._link: tuple[str, int] | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").upper())
            self.forms.append(self._form)
            self._by_id[given.get("id", "")] = self._form
        elif tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.moves_on_to = given.get("content", "").partition("=")[2]
        elif tag == "pre":
            self.codes.append("")
        elif tag == "a" and "href" in given:
            self._link = (given["href"], len(self.words))
        elif tag in ("input", "button", "select", "textarea", "option"):
            self._control(tag, given, self._by_id.get(given["form"]) if "form" in given else self._form)

    def _control(self, tag: str, given: dict[str, str], form: Form | None) -> None:
        if form is None or "disabled" in given:
            return
        name, value, kind = given.get("name", ""), given.get("value", ""), given.get("type", "text")
        if tag == "button" and given.get("type", "submit") == "submit":
            button = Button("", name, value, given.get("formaction", ""))
            form.buttons.append(button)
            self._button = (button, len(self.words))
        elif tag == "input" and kind == "submit":
            form.buttons.append(Button(value, name, value, given.get("formaction", "")))
        elif tag == "input" and kind in ("checkbox", "radio"):
            form.names.add(name)
            form.choices.append((name, value or "on"))
            if "checked" in given:
                form.fields.append((name, value or "on"))
        elif tag == "select":
            self._select = name
            form.names.add(name)
        elif tag == "option":
            form.choices.append((self._select, value))
            chosen = [field for field in form.fields if field[0] == self._select]
            if "selected" in given or not chosen:
                form.fields[:] = [field for field in form.fields if field not in chosen] + [(self._select, value)]
        elif tag in ("input", "textarea") and name:
            form.names.add(name)
            form.fields.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass
        if tag == "form":
            self._form = None
        elif tag == "button" and self._button:
            button, start = self._button
            button.text = " ".join(" ".join(self.words[start:]).split())
            self._button = None
        elif tag == "a" and self._link:
            href, start = self._link
            self.links.append((" ".join(" ".join(self.words[start:]).split()), href))
            self._link = None

    def handle_data(self, data: str) -> None:
        if "title" in self._open:
            self.title += data
        elif not _SILENT & set(self._open):
            self.words.append(data)
            if "pre" in self._open:
                self.codes[-1] += data
