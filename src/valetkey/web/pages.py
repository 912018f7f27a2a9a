"""Rendering: templates in, pages out. Everything is escaped unless a template function made it safe."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup
from starlette.responses import HTMLResponse

from valetkey.kernel.clock import Clock
from valetkey.web.headers import content_security_policy
from valetkey.web.hosts import shown_host
from valetkey.web.notices import HAPPENED, NOTICES
from valetkey.web.static import asset
from valetkey.web.untrusted import initial, measured, odd_letters, oddities, plain, reveal, untrusted

if TYPE_CHECKING:
    from valetkey.web.visit import Visit

_HERE = Path(__file__).parent


class _Compiled(BytecodeCache):
    """Each template is compiled once in a process, whoever makes pages of it: that takes longer than they do."""

    def __init__(self) -> None:
        self._codes: dict[str, CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get(f"{bucket.key} {bucket.checksum}")

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[f"{bucket.key} {bucket.checksum}"] = bucket.code


_compiled = _Compiled()


class Pages:
    """The templates of this folder. `clock` says what "5 minutes ago" is counted from."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            bytecode_cache=_compiled,
        )
        self._environment.filters.update(
            untrusted=untrusted,
            plain=plain, reveal=reveal, ago=self._ago, day=_day, clock=_clock_time, size=_size, took=_took,
            odd_letters=odd_letters, oddities=oddities, shown_host=shown_host, words=_words, measured=measured,
            device=_device, happened=_happened, initial=initial,
        )  # fmt: skip
        self._environment.globals["asset"] = functools.cache(asset)
        self._environment.tests["none_of"] = lambda value, names: value not in names

    def render(
        self, visit: Visit, template: str, *, status: int, form_action: str, values: Mapping[str, Any]
    ) -> HTMLResponse:
        text = self._environment.get_template(template).render(
            **{
                "csrf": visit.csrf,
                "me": visit.signed_in_as.person if visit.signed_in_as else None,
                "session": visit.signed_in_as,
                "here": visit.request.scope["path"],
                "notice": NOTICES.get(visit.query("done")),
                "public_url": visit.public_url,
                "errors": {},
                **values,
            }
        )
        response = HTMLResponse(text, status_code=status)
        if form_action:
            response.headers["content-security-policy"] = content_security_policy(form_action=form_action)
        return response

    def alone(self, template: str, **values: object) -> str:
        """A page that is a file of its own: no session, no hub behind it."""
        return self._environment.get_template(template).render(**values)

    def macro(self, template: str, name: str, value: object) -> str:
        """One part of a page by itself, as the pages show it."""
        module = self._environment.get_template(template).make_module({"errors": {}})
        return str(getattr(module, name)(value))

    def _ago(self, at: datetime | None) -> Markup:
        if at is None:
            return Markup("never")
        words = _distance((self._clock.now() - at).total_seconds())
        exact = at.astimezone(UTC)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            exact.isoformat(timespec="seconds"), exact.strftime("%Y-%m-%d %H:%M:%S UTC"), words
        )


def _distance(seconds: float) -> str:
    """How long ago (or, negative, how far ahead) in the words people use."""
    size = abs(seconds)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if size >= length:
            number = int(size // length)
            words = f"{number} {unit}{'s' if number != 1 else ''}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now" if seconds >= 0 else "in a moment"


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%-d %B %Y}"


def _clock_time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def _took(microseconds: int) -> str:
    if microseconds < 1000:
        return "< 1 ms"
    return f"{microseconds / 1000:.0f} ms" if microseconds < 1_000_000 else f"{microseconds / 1_000_000:.1f} s"


def _words(name: str) -> str:
    """`not_connected` as a person writes it."""
    text = name.replace("_", " ").replace(".", " ")
    return text[:1].upper() + text[1:]  # `capitalize` would make an API an Api


def _happened(event: str) -> str:
    return HAPPENED.get(event) or _words(event)


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "Mac"),
            ("Linux", "Linux"))  # fmt: skip


def _device(user_agent: str) -> str:
    """A browser as its owner would name it; as it names itself if we do not know it."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return f"{browser} on {system}" if browser and system else user_agent or "An unnamed browser"


def pretty_json(value: object) -> str:
    """A value for a code block: two spaces, nothing reordered."""
    return json.dumps(value, indent=2, ensure_ascii=False)
