"""The sample authorization server's two pages and its notices: paper and ink, so that nobody takes them for the hub."""

from __future__ import annotations

from html import escape
from urllib.parse import urlsplit

from valetkey.demo.ledger import AuthorizationRequest
from valetkey.demo.notes import SCOPES

_STYLE = """
:root { color-scheme: light; --ink: #2b2a25; --paper: #f6efdf; --rule: #d9cdb0; --green: #2f5d46; --red: #a4373a }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; background: var(--paper); color: var(--ink);
  font: 17px/1.55 Georgia, 'Iowan Old Style', serif; display: grid; place-items: center; padding: 1.5rem }
main { width: 100%; max-width: 26rem; background: #fffdf6; padding: 1.75rem 2rem 2rem;
  border: 1px solid var(--rule); border-top: 6px solid var(--green); box-shadow: 0 2px 0 var(--rule) }
header { font-style: italic; color: var(--green); margin-bottom: 1rem }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 .75rem; font-weight: normal }
label { display: block; margin: .75rem 0 }
label > span { display: block }
input[type=text], input[type=password] { width: 100%; font: inherit; padding: .5rem .6rem;
  border: 1px solid #8a7f66; background: #fff }
.scope { display: flex; gap: .6rem; align-items: baseline; margin: .4rem 0; padding: .4rem 0;
  border-bottom: 1px dotted var(--rule) }
button { font: inherit; padding: .55rem 1.2rem; border: 1px solid var(--green); background: var(--green);
  color: #fff; cursor: pointer }
button.quiet { background: none; color: var(--green) }
button:focus-visible, input:focus-visible { outline: 3px solid #e0a526; outline-offset: 2px }
input[type=checkbox] { accent-color: var(--green) }
.buttons { display: flex; gap: .75rem; margin-top: 1.25rem }
.note { font-size: .9rem; color: #5e5847 }
.wrong { color: var(--red); border-left: 4px solid var(--red); padding-left: .75rem }
code { font-size: .85em; overflow-wrap: anywhere }
"""

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def login(pending: str, csrf: str, hints: str, *, client_name: str, wrong: bool = False) -> str:
    problem = '<p class="wrong" role="alert">That name and password do not belong together.</p>' if wrong else ""
    return _page(
        "Sign in to Marginalia",
        f"""<h1>Sign in to Marginalia</h1>
<p><b>{escape(client_name)}</b> would like to use your notebook.</p>{problem}
<form method="post" action="/login">{_hidden(pending, csrf)}
<label><span>Name</span><input type="text" name="username" autocomplete="username" autofocus required></label>
<label><span>Password</span><input type="password" name="password" autocomplete="current-password" required></label>
<div class="buttons"><button type="submit">Sign in</button></div></form>
<p class="note">A sample, with sample people: {escape(hints)}.</p>""",
    )


def consent(request: AuthorizationRequest, person: str, pending: str, csrf: str) -> str:
    """The person may untick a scope: what is granted can be less than what was asked."""
    boxes = "".join(
        f'<label class="scope"><input type="checkbox" name="scope" value="{escape(scope)}" checked>'
        f"<span>{escape(SCOPES[scope])} <code>{escape(scope)}</code></span></label>"
        for scope in request.scopes
    )
    return _page(
        "Allow access to your notebook?",
        f"""<h1>Allow <b>{escape(request.client.name)}</b> to use your notebook?</h1>
<p>You are signed in as <b>{escape(person)}</b>. Access is for <code>{escape(request.resource)}</code>, and the answer
goes to <b>{escape(urlsplit(request.redirect_uri).netloc)}</b>.</p>
<form method="post" action="/consent">{_hidden(pending, csrf)}{boxes}
<div class="buttons"><button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny" class="quiet">Refuse</button></div></form>""",
    )


def notice(title: str, text: str) -> str:
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>")


def _hidden(pending: str, csrf: str) -> str:
    return (
        f'<input type="hidden" name="pending" value="{escape(pending)}">'
        f'<input type="hidden" name="csrf" value="{escape(csrf)}">'
    )


def _page(title: str, body: str) -> str:
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>
<style>{_STYLE}</style></head>
<body><main><header>Marginalia · a sample service</header>{body}</main></body></html>"""
