"""Signing in through organizations' providers, put together: what is set, and who comes in by it."""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.identity.model import TrailWriter
from valetkey.identity.organizations import Organizations
from valetkey.identity.signin.openid.accounts import Accounts
from valetkey.identity.signin.openid.model import Fetches, Identifies
from valetkey.identity.signin.openid.providers import Providers
from valetkey.identity.signin.openid.published import Published
from valetkey.identity.signin.openid.sign_in import SignIns
from valetkey.kernel.clock import Clock
from valetkey.oauth.model import ParseUrl
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.vault.verbs import Vault


@dataclass(frozen=True, slots=True)
class OpenId:
    """What the doors ask."""

    providers: Providers
    sign_ins: SignIns
    accounts: Accounts


def open_openid(
    database: Database,
    notifications: Notifications,
    *,
    organizations: Organizations,
    web: Fetches,
    desk: Identifies,
    vault: Vault,
    parse: ParseUrl,
    clock: Clock,
    trail: TrailWriter,
    public_url: str,
) -> OpenId:
    published = Published(web, parse=parse, clock=clock)
    providers = Providers(
        database,
        notifications,
        organizations=organizations,
        published=published,
        vault=vault,
        web=web,
        parse=parse,
        clock=clock,
        trail=trail,
        public_url=public_url,
    )
    accounts = Accounts(database, providers=providers, clock=clock, trail=trail)
    sign_ins = SignIns(
        database,
        providers=providers,
        published=published,
        desk=desk,
        vault=vault,
        accounts=accounts,
        clock=clock,
        trail=trail,
    )
    return OpenId(providers, sign_ins, accounts)
