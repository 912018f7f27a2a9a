"""The pages as one thing: the site map, and what the authorization server is handed.

Closed by default: a line without `PUBLIC` or `LINKED` wants a signed-in person, so forgetting is safe.
"""

from __future__ import annotations

from collections import defaultdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from valetkey.identity.model import BrowserSession
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import ValetkeyError
from valetkey.web import (
    access_list,
    activity_list,
    activity_show,
    alert_list,
    approval_beforehand,
    approval_list,
    approval_show,
    approval_standing,
    assistant_end,
    bound_list,
    ceiling_list,
    components_show,
    connection_add,
    connection_callback,
    connection_changes,
    connection_check,
    connection_disconnect,
    connection_headers,
    connection_list,
    connection_permissions,
    connection_reconnect,
    connection_remove,
    connection_rename,
    connection_report,
    connection_review,
    connection_show,
    connection_start,
    connection_trace,
    connection_uses,
    connector_client,
    connector_edit,
    connector_key,
    connector_remove,
    data_erase,
    data_export,
    data_show,
    decision_show,
    directory_list,
    directory_review,
    feed_list,
    home,
    member_call_list,
    member_call_show,
    organization_join,
    organization_leave,
    passkey_add,
    passkey_remove,
    password_set,
    people_list,
    person_disable,
    person_invite,
    privacy_show,
    profile_create,
    profile_list,
    profile_show,
    provisioning_list,
    quarantine,
    receipt_list,
    receipt_show,
    request_list,
    retention_list,
    rule_list,
    session_end,
    settings_show,
    sign_in,
    sign_in_again,
    sign_in_link,
    sign_in_organization,
    sign_in_passkey,
    sign_in_provider,
    sign_out,
    token_create,
    token_revoke,
    usage_list,
    welcome,
)
from valetkey.web.consent import ConsentView, consent_page
from valetkey.web.door import Access, Door, Page
from valetkey.web.form import Form
from valetkey.web.services import Services
from valetkey.web.site_submissions import SUBMISSIONS
from valetkey.web.static import Static

PUBLIC, LINKED = Access.PUBLIC, Access.LINKED


def site_map() -> tuple[Page, ...]:
    """Every page there is."""
    return (
        # getting in
        Page("GET", "/signin", sign_in.show, PUBLIC),
        Page("POST", "/signin", sign_in.submit, PUBLIC),
        Page("POST", "/signin/passkey/options", sign_in_passkey.options, PUBLIC, script=True),
        Page("POST", "/signin/passkey", sign_in_passkey.submit, PUBLIC, script=True),
        Page("POST", "/signin/link", sign_in_link.submit, PUBLIC),
        Page("GET", "/signin/link/{token}", sign_in_link.show, PUBLIC),
        Page("GET", "/signin/organization", sign_in_organization.show, PUBLIC),
        Page("POST", "/signin/organization", sign_in_organization.submit, PUBLIC),
        Page("POST", "/signin/organization/again", sign_in_organization.submit_again),
        # Comes back from a provider; what it is good for is good once, in the browser that began.
        Page("GET", "/signin/organization/callback/{organization}", sign_in_organization.callback, PUBLIC),
        Page("GET", "/signin/again", sign_in_again.show),
        Page("POST", "/signin/again", sign_in_again.submit),
        Page("GET", "/welcome", welcome.show, LINKED),
        Page("POST", "/signout", sign_out.submit, LINKED),
        # what is connected
        Page("GET", "/", home.show),
        Page("GET", "/directory", directory_list.show),
        Page("GET", "/directory/requests", request_list.show),
        Page("POST", "/directory/requests", request_list.submit),
        Page("GET", "/directory/reviews", directory_review.show),
        Page("POST", "/directory/reviews", directory_review.submit),
        Page("GET", "/directory/reviews/{run}", directory_review.progress),
        Page("GET", "/directory/reviews/{run}/report.html", directory_review.download),
        *SUBMISSIONS,
        Page("POST", "/directory/{connector}/client", connector_client.submit),
        Page("GET", "/directory/{connector}/edit", connector_edit.show),
        Page("POST", "/directory/{connector}/edit", connector_edit.submit),
        Page("GET", "/directory/{connector}/key", connector_key.show),
        Page("POST", "/directory/{connector}/key", connector_key.submit),
        Page("POST", "/directory/{connector}/key/remove", connector_key.submit_remove),
        Page("POST", "/directory/{connector}/move", connector_edit.submit_move),
        Page("POST", "/directory/{connector}/remove", connector_remove.submit),
        Page("GET", "/connections", connection_list.show),
        Page("GET", "/connections/add", connection_add.show),
        Page("POST", "/connections/add", connection_add.submit),
        Page("GET", "/connections/new/{connector}", connection_start.show),
        Page("POST", "/connections/new/{connector}", connection_start.submit),
        Page("GET", "/connections/review/{attempt}", connection_review.show),
        Page("POST", "/connections/review/{attempt}", connection_review.submit),
        # Comes back from a service: whoever is not signed in is told so there, and not sent to sign in.
        Page("GET", "/oauth/callback/{issuer}", connection_callback.show, PUBLIC),
        Page("GET", "/connections/disconnect-all", connection_disconnect.show_all),
        Page("POST", "/connections/disconnect-all", connection_disconnect.submit_all),
        Page("GET", "/connections/receipts", receipt_list.show),
        Page("GET", "/connections/receipts/{receipt}", receipt_show.show),
        Page("GET", "/connections/{connection}", connection_show.show),
        Page("GET", "/connections/{connection}/uses", connection_uses.show),
        Page("POST", "/connections/{connection}/check", connection_check.submit),
        Page("POST", "/connections/{connection}/report", connection_report.submit),
        Page("GET", "/connections/{connection}/trace", connection_trace.show),
        Page("GET", "/connections/{connection}/trace.json", connection_trace.download),
        Page("POST", "/connections/{connection}/tools", connection_permissions.submit),
        Page("POST", "/connections/{connection}/level", connection_permissions.submit_level),
        Page("GET", "/connections/{connection}/why", decision_show.show),
        Page("GET", "/connections/{connection}/changes", connection_changes.show),
        Page("POST", "/connections/{connection}/changes", connection_changes.submit),
        Page("POST", "/connections/{connection}/name", connection_rename.submit),
        Page("POST", "/connections/{connection}/reconnect", connection_reconnect.submit),
        Page("GET", "/connections/{connection}/headers", connection_headers.show),
        Page("POST", "/connections/{connection}/headers", connection_headers.submit),
        Page("POST", "/connections/{connection}/quarantine", quarantine.submit),
        Page("GET", "/connections/{connection}/disconnect", connection_disconnect.show),
        Page("POST", "/connections/{connection}/disconnect", connection_disconnect.submit),
        Page("POST", "/connections/{connection}/remove", connection_remove.submit),
        Page("GET", "/profiles", profile_list.show),
        Page("GET", "/profiles/new", profile_create.show),
        Page("POST", "/profiles/new", profile_create.submit),
        Page("GET", "/profiles/{profile}", profile_show.show),
        Page("POST", "/profiles/{profile}", profile_show.submit),
        Page("POST", "/profiles/{profile}/remove", profile_show.remove),
        # what waits for a yes
        Page("GET", "/approvals", approval_list.show),
        Page("GET", "/approvals/waiting", approval_list.waiting),
        Page("GET", "/approvals/standing", approval_standing.show),
        Page("GET", "/approvals/standing/new", approval_beforehand.choose),
        Page("GET", "/approvals/standing/new/{connection}", approval_beforehand.show),
        Page("POST", "/approvals/standing/new/{connection}", approval_beforehand.submit),
        Page("POST", "/approvals/standing/{standing}/revoke", approval_standing.revoke),
        Page("GET", "/approvals/{approval}", approval_show.show),
        Page("POST", "/approvals/{approval}/deny", approval_show.deny),
        Page("POST", "/approvals/{approval}/approve", approval_show.approve),
        Page("POST", "/approvals/{approval}/options", approval_show.options, script=True),
        Page("POST", "/approvals/{approval}/confirm", approval_show.confirm, script=True),
        # what happened
        Page("GET", "/alerts", alert_list.show),
        Page("POST", "/alerts/{alert}/dismiss", alert_list.dismiss),
        Page("POST", "/alerts/quarantine", quarantine.submit_connector),
        Page("GET", "/activity", activity_list.show),
        Page("GET", "/activity/{call}", activity_show.show),
        Page("GET", "/activity/{call}/result", activity_show.download),
        # who gets in
        Page("GET", "/settings", settings_show.show),
        Page("GET", "/settings/password", password_set.show),
        Page("POST", "/settings/password", password_set.submit, LINKED),
        Page("GET", "/settings/passkeys/new", passkey_add.show),
        Page("POST", "/settings/passkeys/options", passkey_add.options, LINKED, script=True),
        Page("POST", "/settings/passkeys", passkey_add.submit, LINKED, script=True),
        Page("POST", "/settings/passkeys/{passkey}/remove", passkey_remove.submit),
        Page("POST", "/settings/sessions/end-others", session_end.submit_others),
        Page("POST", "/settings/sessions/{session}/end", session_end.submit),
        Page("GET", "/settings/tokens/new", token_create.show),
        Page("POST", "/settings/tokens/new", token_create.submit),
        Page("POST", "/settings/tokens/{token}/revoke", token_revoke.submit),
        Page("POST", "/settings/assistants/{family}/end", assistant_end.submit),
        Page("GET", "/settings/data", data_show.show),
        Page("POST", "/settings/data", data_show.submit),
        Page("GET", "/settings/data/export", data_export.show),
        Page("POST", "/settings/data/export", data_export.download),
        Page("GET", "/settings/data/erase", data_erase.show),
        Page("POST", "/settings/data/erase", data_erase.submit),
        Page("POST", "/settings/data/training", data_show.allow_training),
        Page("POST", "/settings/data/training/withdraw", data_show.withdraw_training),
        Page("POST", "/settings/organization/link", sign_in_organization.submit_link),
        Page("GET", "/settings/invitations/{invitation}", organization_join.show),
        Page("POST", "/settings/invitations/{invitation}/join", organization_join.submit),
        Page("POST", "/settings/invitations/{invitation}/decline", organization_join.decline),
        Page("GET", "/settings/leave", organization_leave.show),
        Page("POST", "/settings/leave", organization_leave.submit),
        # the organization
        Page("GET", "/admin", people_list.show),
        Page("POST", "/admin/people", person_invite.submit),
        Page("POST", "/admin/people/{person}/link", person_invite.submit_link),
        Page("POST", "/admin/people/{person}/remove", person_disable.remove),
        Page("POST", "/admin/invitations/{invitation}/withdraw", organization_join.withdraw),
        Page("GET", "/admin/people/{person}/disable", person_disable.show),
        Page("POST", "/admin/people/{person}/disable", person_disable.submit),
        Page("GET", "/admin/sign-in", sign_in_provider.show),
        Page("POST", "/admin/sign-in", sign_in_provider.submit),
        Page("POST", "/admin/sign-in/remove", sign_in_provider.remove),
        Page("POST", "/admin/domains", sign_in_provider.add_domain),
        Page("POST", "/admin/domains/{domain}/verify", sign_in_provider.verify_domain),
        Page("POST", "/admin/domains/{domain}/remove", sign_in_provider.remove_domain),
        Page("GET", "/admin/connectors", access_list.show),
        Page("POST", "/admin/connectors/hosts", access_list.submit_hosts),
        Page("GET", "/admin/connectors/{connector}", access_list.show_one),
        Page("POST", "/admin/connectors/{connector}/state", access_list.submit_state),
        Page("POST", "/admin/connectors/{connector}/groups", access_list.submit_groups),
        Page("GET", "/admin/rules", rule_list.show),
        Page("POST", "/admin/rules", rule_list.submit),
        Page("GET", "/admin/requests", request_list.show_all),
        Page("POST", "/admin/requests/{request}/approve", request_list.approve),
        Page("POST", "/admin/requests/{request}/dismiss", request_list.dismiss),
        Page("GET", "/admin/provisioning", provisioning_list.show),
        Page("POST", "/admin/provisioning/tokens", provisioning_list.create_token),
        Page("POST", "/admin/provisioning/tokens/{key}/revoke", provisioning_list.revoke_token),
        Page("POST", "/admin/provisioning/groups/{group}/role", provisioning_list.give_role),
        Page("GET", "/admin/feeds", feed_list.show),
        Page("POST", "/admin/feeds", feed_list.submit),
        Page("POST", "/admin/feeds/{feed}/test", feed_list.try_out),
        Page("POST", "/admin/feeds/{feed}/remove", feed_list.remove),
        Page("GET", "/admin/ceilings", ceiling_list.show),
        Page("POST", "/admin/ceilings", ceiling_list.submit),
        Page("POST", "/admin/ceilings/{ceiling}/remove", ceiling_list.remove),
        Page("GET", "/admin/data", bound_list.show),
        Page("POST", "/admin/data", bound_list.submit),
        Page("GET", "/admin/activity", member_call_list.show),
        Page("GET", "/admin/activity/{call}", member_call_show.show),
        Page("POST", "/admin/activity/{call}", member_call_show.read),
        Page("GET", "/admin/usage", usage_list.show),
        Page("GET", "/admin/retention", retention_list.show),
        Page("POST", "/admin/retention", retention_list.submit),
        Page("POST", "/admin/retention/holds", retention_list.place),
        Page("POST", "/admin/retention/holds/{hold}/release", retention_list.release),
        Page("POST", "/admin/verticals", ceiling_list.submit_vertical),
        Page("POST", "/admin/raised", ceiling_list.submit_raised),
        # for everybody
        Page("GET", "/privacy", privacy_show.show, PUBLIC),
        Page("POST", "/privacy", privacy_show.publish),
        Page("POST", "/privacy/accept", privacy_show.accept),
        Page("POST", "/privacy/seen", privacy_show.seen),
        Page("GET", "/privacy/{version}", privacy_show.show_version, PUBLIC),
    )


def development_map() -> tuple[Page, ...]:
    """What only a developer sees: every component in every state."""
    return (
        Page("GET", "/_components", components_show.show, PUBLIC),
        Page("GET", "/_components/quiet", components_show.show_quiet, PUBLIC),
    )


class Site:
    """The door for people. `public_url` is the hub's origin; `development` adds `/_components`."""

    def __init__(self, *, services: Services, clock: Clock, public_url: str, development: bool = False) -> None:
        self._door = Door(services=services, clock=clock, public_url=public_url)
        self._pages = site_map() + (development_map() if development else ())
        self._static = Static(https=public_url.startswith("https://"))

    @property
    def pages(self) -> tuple[Page, ...]:
        """The site map, for whoever wants to check it."""
        return self._pages

    def routes(self) -> list[BaseRoute]:
        """One route for each path, in the order of the site map, so that fixed names win over `{…}`."""
        by_path: dict[str, dict[str, Page]] = defaultdict(dict)
        for page in self._pages:
            by_path[page.path][page.method] = page
        return [
            Route("/static/{name}", self._static),
            *(Route(path, self._door.endpoint(pages)) for path, pages in by_path.items()),
        ]

    @property
    def not_found(self) -> ASGIApp:
        """The answer for every path that no door has."""
        return self._door.endpoint({})

    # --- handed to the authorization server ---------------------------------------------------------------------------

    async def signed_in(self, request: Request) -> BrowserSession | None:
        """Who is signed in in this browser. A session of method `link` may do nothing but set a credential."""
        return await self._door.session(request)

    def check_csrf(self, request: Request, session: BrowserSession, token: str) -> None:
        """Raises `Forbidden` unless a page of ours, in this browser, sent this request with this token."""
        self._door.check_csrf(request, session, token)

    def to_sign_in(self, request: Request, session: BrowserSession | None = None) -> Response:
        """Sends the browser to sign in and back here; with a `link` session, to set a credential first."""
        return self._door.finish(self._door.to_sign_in(request, session))

    async def render_consent(self, request: Request, session: BrowserSession, view: ConsentView) -> Response:
        """The consent page for an authorization request."""
        return self._door.finish(
            await consent_page(self._door.visit(request, session, Form(), token=session.csrf), view)
        )

    def render_problem(self, request: Request, error: ValetkeyError) -> Response:
        """The page for an error; never a redirect."""
        return self._door.finish(self._door.problem(request, error))
