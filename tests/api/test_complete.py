"""What people do on pages, and what the operator does by commands, programs can do by the API; or it says why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import click

from tests.api.test_doors import TABLE
from valetkey.api.app import ROUTERS
from valetkey.cli.main import valetkey
from valetkey.web.site import site_map


@dataclass(frozen=True)
class Not:
    """Why a program is not to do it."""

    because: str


SIGNS_IN: Final = Not("it is how a person proves who they are, and ends that, in one browser")
GETS_IN: Final = Not(
    "what lets a person in, and where they are in, is changed where they have just proved who they are: with a token "
    "that was taken somebody could sign them out of everything else, and take their passkeys"
)
ANSWERS: Final = Not(
    "a question is answered, with no as well, where the person was asked it: a program that answers no would take it "
    "off their screen before they have seen it"
)
CONSENTS: Final = Not("it is a person's own yes, given at their own screen: no token gives it (docs/api.md)")
SERVICE: Final = Not("it leads through the service's own pages, in the person's browser")
HELPS: Final = Not("it changes nothing but what a page shows next")

PAGES: Mapping[str, str | Not] = {
    # Every action of the site map: the operation that does the same, or why there is none.
    "/signin": SIGNS_IN,
    "/signin/passkey/options": SIGNS_IN,
    "/signin/passkey": SIGNS_IN,
    "/signin/link": SIGNS_IN,
    "/signin/organization": SIGNS_IN,
    "/signin/organization/again": SIGNS_IN,
    "/signin/again": SIGNS_IN,
    "/signout": SIGNS_IN,
    "/directory/reviews": "review_url",
    "/directory/requests": "ask_for_connector",
    "/directory/submissions": "begin_submission",
    "/directory/submissions/{submission}/move": "move_submission",
    "/directory/submissions/{submission}/answer": "answer_desk",
    "/directory/submissions/{submission}/account": "set_test_account",
    "/directory/submissions/{submission}/tools": "review_submission",
    "/directory/submissions/{submission}/domain": "prove_domain",
    "/directory/submissions/{submission}/acknowledgments": "agree",
    "/directory/submissions/{submission}/pictures": "hand_in_picture",
    "/directory/submissions/{submission}/contact": "confirm_contact",
    "/directory/submissions/{submission}/{step}": "edit_submission",
    "/directory/desk/{submission}/review": "review_at_desk",
    "/directory/desk/{submission}/question": "ask_publisher",
    "/directory/desk/{submission}/decision": "decide",
    "/directory/desk/{submission}/takedown": "take_down_at_desk",
    "/directory/{connector}/client": "change_connector",
    "/directory/{connector}/edit": "change_connector",
    "/directory/{connector}/key": "enter_organization_key",
    "/directory/{connector}/key/remove": "remove_organization_key",
    "/directory/{connector}/move": "change_connector",
    "/directory/{connector}/remove": "remove_connector",
    "/connections/add": "add_connector",
    "/connections/new/{connector}": SERVICE,
    "/connections/review/{attempt}": SERVICE,
    "/connections/disconnect-all": "disconnect_everything",
    "/connections/{connection}/check": "check_connection",
    "/connections/{connection}/report": "report_service",
    "/connections/{connection}/tools": "set_permissions",
    "/connections/{connection}/level": "set_permission_level",
    "/connections/{connection}/changes": "accept_changes",
    "/connections/{connection}/name": "rename_connection",
    "/connections/{connection}/reconnect": SERVICE,
    "/connections/{connection}/headers": "connect_with_headers",
    "/connections/{connection}/quarantine": "quarantine_connection",
    "/connections/{connection}/disconnect": "disconnect",
    "/connections/{connection}/remove": "remove_connection",
    "/profiles/new": "add_profile",
    "/profiles/{profile}": "set_profile",
    "/profiles/{profile}/remove": "remove_profile",
    "/approvals/standing/new/{connection}": CONSENTS,
    "/approvals/standing/{standing}/revoke": "revoke_standing_approval",
    "/approvals/{approval}/deny": ANSWERS,
    "/approvals/{approval}/approve": CONSENTS,
    "/approvals/{approval}/options": CONSENTS,
    "/approvals/{approval}/confirm": CONSENTS,
    "/alerts/{alert}/dismiss": "dismiss_alert",
    "/alerts/quarantine": "quarantine_connector",
    "/settings/password": GETS_IN,
    "/settings/passkeys/options": GETS_IN,
    "/settings/passkeys": GETS_IN,
    "/settings/passkeys/{passkey}/remove": GETS_IN,
    "/settings/sessions/end-others": GETS_IN,
    "/settings/sessions/{session}/end": GETS_IN,
    "/settings/tokens/new": "create_token",
    "/settings/tokens/{token}/revoke": "revoke_token",
    "/settings/assistants/{family}/end": "end_assistant",
    "/settings/data": "choose_log_level",
    "/settings/data/export": "export_data",
    "/settings/data/erase": "erase_data",
    "/settings/data/training": CONSENTS,
    "/settings/data/training/withdraw": "withdraw_training_consent",
    "/settings/organization/link": GETS_IN,
    "/settings/invitations/{invitation}/join": "join_organization",
    "/settings/invitations/{invitation}/decline": "decline_invitation",
    "/settings/leave": "leave_organization",
    "/admin/people": "add_person",
    "/admin/people/{person}/link": "invite_person",
    "/admin/people/{person}/remove": "leave_organization",
    "/admin/invitations/{invitation}/withdraw": "withdraw_invitation",
    "/admin/people/{person}/disable": "disable_person",
    "/admin/sign-in": "set_sign_in",
    "/admin/sign-in/remove": "remove_sign_in",
    "/admin/domains": "add_domain",
    "/admin/domains/{domain}/verify": "verify_domain",
    "/admin/domains/{domain}/remove": "remove_domain",
    "/admin/connectors/hosts": "set_hosts",
    "/admin/connectors/{connector}/state": "change_connector",
    "/admin/connectors/{connector}/groups": "set_connector_groups",
    "/admin/rules": "set_rules",
    "/admin/requests/{request}/approve": "resolve_request",
    "/admin/requests/{request}/dismiss": "resolve_request",
    "/admin/provisioning/tokens": "create_provisioning_token",
    "/admin/provisioning/tokens/{key}/revoke": "revoke_provisioning_token",
    "/admin/provisioning/groups/{group}/role": "set_group_role",
    "/admin/feeds": "add_feed",
    "/admin/feeds/{feed}/test": "test_feed",
    "/admin/feeds/{feed}/remove": "remove_feed",
    "/admin/ceilings": "set_ceiling",
    "/admin/ceilings/{ceiling}/remove": "remove_ceiling",
    "/admin/data": "bound_log_level",
    "/admin/activity/{call}": "read_call",
    "/admin/retention": "set_retention",
    "/admin/retention/holds": "place_hold",
    "/admin/retention/holds/{hold}/release": "release_hold",
    "/admin/raised": "raise_class",
    "/admin/verticals": "enable_vertical",
    "/privacy": "publish_privacy_policy",
    "/privacy/accept": "accept_privacy_template",
    "/privacy/seen": HELPS,
}

LOCAL: Mapping[str, Not] = {
    # Every command that asks no hub.
    "serve": Not("it is the hub"),
    "demo": Not("it starts a hub of its own, and plays with it as a stranger would"),
    "doctor": Not("it looks at a host on which no hub may be running"),
    "key recover": Not("there is no hub that could open its keys"),
    "connector schema": Not("it prints a schema that comes with the program"),
    "review": Not("it visits one address, and has no use for a hub (a hub does the same: review_url)"),
}


def operations() -> dict[str, tuple[str, str]]:
    return {
        route.operation_id: (next(iter(route.methods)), route.path) for noun in ROUTERS for route in noun.router.routes
    }


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        if isinstance(found, click.Group):
            yield from commands(found, (*words, name))
        elif found is not None:
            yield " ".join((*words, name)), found


def test_every_action_of_every_page_is_an_operation_of_the_api_or_says_why_not() -> None:
    actions = {page.path for page in site_map() if page.method == "POST"}
    named = {operation for operation in PAGES.values() if isinstance(operation, str)}

    assert actions == PAGES.keys()
    assert named <= operations().keys()
    assert {operations()[one] for one in named} <= TABLE.keys()


def test_every_command_goes_through_the_api_or_says_why_not() -> None:
    """A command that is handed a hub has no other way than its API: `cli.hub_client`."""
    local = {name for name, command in commands(valetkey) if "hub_url" not in {one.name for one in command.params}}

    assert local == LOCAL.keys()
