"""5.D Safe sign-in: certificates, OAuth as MCP describes it, and no token in a URL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from valetkey.oauth.challenge import bearer, parse_www_authenticate
from valetkey.review.model import CannotSay, Crawl, Finding, Probe, Rule, Severity, SignIn, Stage

_SOON: Final = timedelta(days=14)
_OPEN: Final = "the service lets everybody in, so there is no sign-in to judge"


def _tls(crawl: Crawl) -> Iterator[Finding]:
    probe = _probe(crawl)
    if crawl.scheme == "http" and crawl.on_private_network:
        raise CannotSay("it speaks plain http in a network that --allow-network opened")
    if probe.certificate is None and not probe.certificate_problem:
        raise CannotSay("TLS is spoken by a process of its own here, which does not show certificates")
    if probe.certificate is None:
        yield Finding(
            Severity.BLOCK,
            crawl.host,
            f"No safe connection could be made. {probe.certificate_problem}".rstrip(),
            "Serve https with TLS 1.2 or newer and a certificate of a recognized authority, intermediates included.",
        )
        return
    left = probe.certificate.ends_at - crawl.seen_at
    if left < _SOON:
        yield Finding(
            Severity.HOLD, crawl.host, f"Its certificate ends in {max(left.days, 0)} days.", "Renew it in time."
        )
    if probe.opening.status and "strict-transport-security" not in probe.opening.headers:
        yield Finding(Severity.WARN, crawl.host, "It does not say HSTS.", "Send Strict-Transport-Security.")


def _oauth(crawl: Crawl) -> Iterator[Finding]:
    """What only a person's sign-in shows (codes used twice, audiences) is for the reviewer who signs in."""
    probe = _probe(crawl)
    if not probe.is_guarded:
        raise CannotSay(_OPEN)
    sign_in = probe.sign_in
    challenge = bearer(parse_www_authenticate(probe.opening.headers.get("www-authenticate", "")))
    if probe.opening.status != 401:
        yield _block("endpoint", "Somebody unknown gets 403 instead of 401.", "Answer 401 with WWW-Authenticate.")
    elif not challenge.scheme:
        yield _block("endpoint", "The 401 has no WWW-Authenticate: Bearer.", "Say where to sign in.")
    elif not challenge.resource_metadata:
        yield _hold("endpoint", "WWW-Authenticate does not say resource_metadata.", "Point to the resource metadata.")
    if sign_in.resource is None:
        yield _block(
            "protected resource metadata",
            sign_in.resource_problem or "There is none.",
            "Publish it below /.well-known/oauth-protected-resource, for exactly this URL (RFC 9728).",
        )
        return
    if sign_in.server is None:
        yield _block(
            "authorization server metadata",
            sign_in.server_problem or "There is none.",
            "Publish it as RFC 8414 or OpenID Connect Discovery describe, with S256 for PKCE.",
        )
        return
    yield from _server(crawl, sign_in)


def _server(crawl: Crawl, sign_in: SignIn) -> Iterator[Finding]:
    server = sign_in.server
    assert server is not None
    assert sign_in.resource is not None
    where = "authorization server"
    if sign_in.resource.resource.rstrip("/") != crawl.url.rstrip("/"):
        yield _hold("protected resource metadata", "Its resource is not exactly the URL.", "Say the URL itself.")
    if not server.takes_client_documents and server.registration_endpoint is None:
        yield _hold(
            where,
            "Clients can neither name a document about themselves nor register.",
            "Support client ID metadata documents, or document how a client is registered.",
        )
    if not server.promises_iss:
        yield _hold(
            where, "It does not promise `iss` in its answers (RFC 9207).", "Send it, and say so in the metadata."
        )
    if sign_in.grants and "refresh_token" not in sign_in.grants:
        yield _hold(where, "It gives no refresh tokens.", "Support the grant refresh_token, or long sign-ins.")
    answer = sign_in.bad_refresh
    if answer is not None and not (answer.status in (400, 401) and sign_in.bad_refresh_error):
        yield _hold(
            "token endpoint",
            f"A refresh token that never was gets {answer.problem or f'HTTP {answer.status}'} and no OAuth error.",
            "Answer 400 with error=invalid_grant, or 401 with invalid_client.",
        )
    strange = sign_in.strange_redirect
    if strange is not None and STRANGE_HOST in strange.moved_to:
        yield _block(
            "authorization endpoint",
            "It sends people of an unknown client to an address that client made up.",
            "Show an error page; redirect only to registered addresses (RFC 6749 4.1.2.1).",
        )


STRANGE_HOST: Final = "never-registered.invalid"
"""Where no authorization server may send anybody: no client registered it, and nobody can own it (RFC 2606)."""


def _query(crawl: Crawl) -> Iterator[Finding]:
    """Said by the metadata; trying would put a token into a URL, which is what this is about."""
    probe = _probe(crawl)
    if not probe.is_guarded:
        raise CannotSay(_OPEN)
    if probe.sign_in.resource is None:
        raise CannotSay("there is no resource metadata, which would say so (see L-506)")
    if "query" in probe.sign_in.bearer_methods:
        yield _block("protected resource metadata", "Tokens are taken in the URL.", "Take them in the header only.")


def _probe(crawl: Crawl) -> Probe:
    assert crawl.probe is not None
    return crawl.probe


def _block(where: str, says: str, do: str) -> Finding:
    return Finding(Severity.BLOCK, where, says, do)


def _hold(where: str, says: str, do: str) -> Finding:
    return Finding(Severity.HOLD, where, says, do)


RULES = (
    Rule("L-505", "5.D", "Certificates are valid and TLS is current", Stage.PROBE, _tls),
    Rule(
        "L-506", "5.D", "OAuth is as MCP describes it", Stage.PROBE, _oauth,
        but="registering, codes used twice and tokens for others are seen by the reviewer who signs in",
    ),
    Rule("L-507", "5.D", "No token travels in a URL", Stage.PROBE, _query),
)  # fmt: skip
