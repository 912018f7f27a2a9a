"""Users and groups as SCIM has them, and as we do: what we keep of a person is a name, addresses and an external id.

What a directory says besides (telephone numbers, managers, departments) is accepted and not kept.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    Email,
    ETag,
    Filter,
    GroupMembership,
    Meta,
    Mutability,
    Name,
    Patch,
    Reference,
    Required,
    Resource,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models import Group as ScimGroup

from valetkey.identity.provisioning.model import Group, Provisioned
from valetkey.kernel.errors import BadInput

MOST: Final = 200
"""Resources in one answer."""
POLICY: Final = ScimPolicy(unknown=ScimPolicy.Unknown.ignore)
_MOST_KEPT: Final = 16 * 1024
_KEPT: Final = ("externalId", "name", "emails", "displayName")


class User(Resource[Any]):
    """The part of the core user that we keep."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """The login: an address of the organization's, in most of them."""
    name: Name | None = None
    display_name: str | None = None
    """How the person is shown here; made of the name if it is not said."""
    emails: list[Email] | None = None
    active: bool | None = None
    """False ends their sessions, tokens and connections at once."""
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None

    Emails: ClassVar[type[Email]] = Email


class Member(ComplexAttribute):
    """A user in a group. How they are called is theirs to say, not the group's."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference[User] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])


class GroupOfUsers(Resource[Any]):
    """A group; its members are users."""

    __schema__ = ScimGroup.__schema__

    display_name: Annotated[str | None, Required.true, Uniqueness.server] = None
    members: list[Member] | None = None

    Members: ClassVar[type[ComplexAttribute]] = Member


User.__name__, GroupOfUsers.__name__ = "User", "Group"

CONFIG: Final = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MOST),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=False),
    etag=ETag(supported=False),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="Bearer token",
            description="A provisioning token (`vkp_…`) of the organization.",
            primary=True,
        )
    ],
)
PROVIDER: Final = ScimProvider(models=[User, GroupOfUsers], config=CONFIG, policy=POLICY)


def user_of(one: Provisioned, groups: list[Group], base: str) -> User:
    """A member as a SCIM user."""
    person = one.person
    said = {name: one.said[name] for name in _KEPT if name in one.said}
    user = User.model_validate({**said, "userName": str(one.said.get("userName", person.login))}, scim_policy=POLICY)
    user.id = person.id
    if not one.said:
        user.display_name = person.display_name
    if not one.said or "active" in one.said:
        user.active = person.state == "active"
    user.groups = [
        GroupMembership(value=group.id, display=group.name, type="direct", ref=Reference(f"{base}/Groups/{group.id}"))
        for group in groups
        if person.id in group.members
    ] or None
    user.meta = _meta("User", f"{base}/Users/{person.id}", person.created_at, one.changed_at)
    return user


def kept_of(user: User) -> dict[str, Any]:
    """What of a user is kept as it was said. Raises `BadInput` when it is too much."""
    said: dict[str, Any] = user.model_dump()
    kept = {name: said[name] for name in (*_KEPT, "userName") if said.get(name)}
    if len(json.dumps(kept)) > _MOST_KEPT:  # each list of users reads all of it
        raise BadInput(f"What is kept of a user (login, name, addresses) has at most {_MOST_KEPT // 1024} KiB.")
    return kept if user.active is None else kept | {"active": user.active}


def shown_name(user: User) -> str:
    """How the person is shown: as said, else of their name, else the login."""
    name = user.name
    parts = (name.formatted or " ".join(filter(None, (name.given_name, name.family_name)))) if name else ""
    return (user.display_name or parts or user.user_name or "").strip()[:100]


def group_of(group: Group, base: str) -> GroupOfUsers:
    """A group as a SCIM group."""
    members = [Member(value=one, type="User", ref=Reference(f"{base}/Users/{one}")) for one in group.members]
    shown = GroupOfUsers(
        id=group.id, external_id=group.external_id or None, display_name=group.name, members=members or None
    )
    shown.meta = _meta("Group", f"{base}/Groups/{group.id}", group.created_at, group.changed_at)
    return shown


def members_of(group: GroupOfUsers) -> list[str]:
    return [one.value for one in group.members or () if one.value]


def _meta(kind: str, location: str, created: datetime, changed: datetime) -> Meta:
    return Meta(resource_type=kind, created=created, last_modified=changed, location=location)
