"""The rooms behind the pages, as one value that `app` puts together."""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.audit.alerts import Alerts
from valetkey.audit.feed.feeds import Feeds
from valetkey.audit.repository import CallRecords
from valetkey.audit.trail import Trail
from valetkey.audit.uses import Uses
from valetkey.connections.accounts import Connections
from valetkey.connections.checking import Checking
from valetkey.connections.connect import Connecting
from valetkey.connections.detect import Detecting
from valetkey.connections.disconnect import Disconnecting
from valetkey.connections.held import Held
from valetkey.connections.quarantine import Quarantine
from valetkey.connections.reconsent import Editing
from valetkey.connections.reporting import Reporting
from valetkey.connections.ruling import Ruling
from valetkey.connections.trace import Trace
from valetkey.directory.access.saying import Access
from valetkey.directory.connectors import Connectors
from valetkey.directory.profiles import Profiles
from valetkey.directory.registry_sync import RegistrySync
from valetkey.directory.requests.asking import Requests
from valetkey.directory.snapshots import Snapshots
from valetkey.identity.families import Families
from valetkey.identity.invitations import Invitations
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.identity.provisioning.memberships import Memberships
from valetkey.identity.provisioning.room import Provisioning
from valetkey.identity.sessions import Sessions
from valetkey.identity.signin.link import SignInLinks
from valetkey.identity.signin.openid.room import OpenId
from valetkey.identity.signin.passkey import Passkeys
from valetkey.identity.signin.password import Passwords
from valetkey.identity.tokens import Tokens
from valetkey.policy.accepting import Acceptances
from valetkey.policy.room import Policy
from valetkey.privacy.erase import Erasing
from valetkey.privacy.export import Exporting
from valetkey.privacy.join import Joining
from valetkey.privacy.leave import Leaving
from valetkey.privacy.offboard import Offboarding
from valetkey.privacy.room import Privacy
from valetkey.privacy.usage import Counting
from valetkey.submissions.room import Submissions
from valetkey.vault.day_keys import FindsDayKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the pages ask. `calls` reads the call log, `day_keys` opens its payloads for their own person."""

    people: People
    organizations: Organizations
    links: SignInLinks
    passwords: Passwords
    passkeys: Passkeys
    sessions: Sessions
    openid: OpenId
    tokens: Tokens
    families: Families
    connectors: Connectors
    access: Access
    groups: Memberships
    requests: Requests
    registry: RegistrySync
    snapshots: Snapshots
    acceptances: Acceptances
    profiles: Profiles
    policy: Policy
    connections: Connections
    connecting: Connecting
    detecting: Detecting
    disconnecting: Disconnecting
    quarantine: Quarantine
    editing: Editing
    ruling: Ruling
    held: Held
    submissions: Submissions
    reporting: Reporting
    checking: Checking
    trace: Trace
    calls: CallRecords
    uses: Uses
    day_keys: FindsDayKeys
    alerts: Alerts
    counting: Counting
    offboarding: Offboarding
    leaving: Leaving
    invitations: Invitations
    joining: Joining
    exporting: Exporting
    erasing: Erasing
    privacy: Privacy
    trail: Trail
    feeds: Feeds
    provisioning: Provisioning
