"""The room as one value: what doors ask about what is kept of people, and what may be done with it."""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.audit.repository import CallRecords
from valetkey.kernel.clock import Clock
from valetkey.privacy.consent import Consents, FindsOrganizations, KeepsYes
from valetkey.privacy.holds import Holds
from valetkey.privacy.keeping import Keeping
from valetkey.privacy.levels import Levels, TrailWriter
from valetkey.privacy.policy import Policies
from valetkey.privacy.reading import Reading
from valetkey.privacy.training_export import FindsPeople, TrainingExport
from valetkey.privacy.whole import Whole
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.vault.day_keys import FindsDayKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """`policies`: what people are told. `levels`: how much of calls is kept; `keeping`: for how long; `holds`: what is
    kept beyond that. `reading`: who else reads calls. `consents` and `training`: what may be learned from, and by whose
    yes. `whole`: results that were too large to pass on."""

    policies: Policies
    reading: Reading
    keeping: Keeping
    holds: Holds
    levels: Levels
    consents: Consents
    training: TrainingExport
    whole: Whole


def open_privacy(
    database: Database,
    notifications: Notifications,
    people: FindsPeople,
    organizations: FindsOrganizations,
    calls: CallRecords,
    day_keys: FindsDayKeys,
    *,
    clock: Clock,
    trail: TrailWriter,
    yes_keys: KeepsYes,
) -> Privacy:
    policies = Policies(database, clock=clock, trail=trail)
    consents = Consents(database, organizations, policies, clock=clock, trail=trail, keys=yes_keys)
    return Privacy(
        policies=policies,
        reading=Reading(database, calls, day_keys, trail),
        keeping=Keeping(database, clock=clock, trail=trail),
        holds=Holds(database, day_keys, clock=clock, trail=trail),
        levels=Levels(database, notifications, clock=clock, trail=trail),
        consents=consents,
        training=TrainingExport(database, people, consents, calls, clock=clock, trail=trail),
        whole=Whole(database, day_keys),
    )
