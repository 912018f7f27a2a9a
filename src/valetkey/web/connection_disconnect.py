"""Disconnecting: one page that says what happens, one button that does it (S-03). Nothing can stand in its way.

Deliberately not asked: whether the connector is still listed or allowed, whether settings are locked, who is admin.
"""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.accounts import read_account, read_accounts
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    account = await read_account(visit)
    return visit.page(
        "connection_disconnect.html",
        connection=account.connection,
        connector=account.connector,
        account=account.name,
        count=1,
        shared=[
            one.display_name or one.label for one in await visit.services.disconnecting.shared_with(account.connection)
        ],
        path=f"/connections/{account.connection.id}/disconnect",
    )


async def submit(visit: Visit) -> Response:
    account = await read_account(visit)
    receipt = await visit.services.disconnecting.disconnect(visit.person.id, account.connection.id, by=visit.actor)
    return visit.go(f"/connections/receipts/{receipt.id}")


async def show_all(visit: Visit) -> Response:
    count = sum(one.is_live for one in await read_accounts(visit))
    if not count:
        return visit.go("/connections", done="nothing-connected")
    return visit.page(
        "connection_disconnect.html",
        connection=None, connector=None, account="", count=count, shared=[], path="/connections/disconnect-all",
    )  # fmt: skip


async def submit_all(visit: Visit) -> Response:
    receipts = await visit.services.disconnecting.disconnect_all(visit.person.id, by=visit.actor)
    if not receipts:
        return visit.go("/connections", done="nothing-connected")
    return visit.go("/connections/receipts" if len(receipts) > 1 else f"/connections/receipts/{receipts[0].id}")
