"""Smoke."""
from tests.web.world import World


async def test_smoke(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada)
    connection = await world.connection(ada, connector)
    call = await world.call(ada, connection, connector)
    for path in ("/", "/directory", "/connections", "/connections/add", f"/connections/{connection.id}",
                 f"/connections/new/{connector.slug}", f"/connections/{connection.id}/disconnect", "/connections/disconnect-all",
                 "/connections/receipts", "/activity", f"/activity/{call}", "/settings", "/settings/password", "/settings/tokens/new",
                 "/settings/passkeys/new", "/privacy", "/_components", "/_components/quiet", "/signin/again"):
        answer = await browser.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-2000:])
