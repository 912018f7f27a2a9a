"""The headers that every page of ours carries (security.md 5.6)."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders

_DIRECTIVES = (
    ("default-src", "'none'"),
    ("script-src", "'self'"),
    ("style-src", "'self'"),
    ("img-src", "'self'"),
    ("font-src", "'self'"),
    ("connect-src", "'self'"),
    ("base-uri", "'none'"),
    ("frame-ancestors", "'none'"),
    ("form-action", "'self'"),
    ("require-trusted-types-for", "'script'"),
    ("trusted-types", "default"),
)
# Everything a page could ask a browser for, denied; passkeys are the one thing our pages use.
_DENIED = (
    *("accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "gamepad"),
    *("geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi"),
    *("otp-credentials", "payment", "picture-in-picture", "screen-wake-lock", "serial", "storage-access", "usb"),
    "xr-spatial-tracking",
)
_PASSKEYS = ("publickey-credentials-create=(self)", "publickey-credentials-get=(self)")
_PERMISSIONS = ", ".join([*(f"{feature}=()" for feature in _DENIED), *_PASSKEYS])


# An origin, or the scheme of a program on the device. Anything else could close the directive and open its own.
_SOURCE = re.compile(r"[a-z][a-z0-9+.-]*:(?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?)?")


def content_security_policy(*, form_action: str = "") -> str:
    """The policy. `form_action` adds one origin that a form's answer may redirect to (the consent page's client)."""
    if not _SOURCE.fullmatch(form_action):
        form_action = ""
    return "; ".join(
        f"{name} {value} {form_action}".rstrip() if name == "form-action" else f"{name} {value}"
        for name, value in _DIRECTIVES
    )


_FIXED = {
    "content-security-policy": content_security_policy(),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": _PERMISSIONS,
    "cache-control": "no-store",
    "x-frame-options": "DENY",
}
_FOR_DATA = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "x-frame-options": "DENY",
}


def harden(headers: MutableHeaders, *, https: bool) -> None:
    """Adds what is missing; a page that set one of these itself (static files: caching) keeps its own."""
    for name, value in _FIXED.items():
        headers.setdefault(name, value)
    _stay_on_https(headers, https=https)


def harden_data(headers: MutableHeaders, *, https: bool) -> None:
    """Adds what is missing to an answer that need not be a page: if a browser shows it all the same, nothing runs."""
    for name, value in _FOR_DATA.items():
        headers.setdefault(name, value)
    _stay_on_https(headers, https=https)


def _stay_on_https(headers: MutableHeaders, *, https: bool) -> None:
    if https:
        headers["strict-transport-security"] = "max-age=63072000; includeSubDomains"
