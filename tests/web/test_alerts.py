"""The page of alerts: one's own with words, the organization's without."""

from __future__ import annotations

import html

from tests.web.world import World
from valetkey.audit.alerts import AlertKind, Noticed
from valetkey.audit.model import OfPerson
from valetkey.identity.model import Role

HOSTILE = "<b>echo</b> \u202enow"


async def test_a_person_sees_what_was_noticed_and_dismisses_it(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada)
    connection = await world.connection(ada, connector)
    alerts = world.services.alerts
    for kind in AlertKind:
        alerts.notice(
            Noticed(ada.organization_id, ada.id, connection.id, connector.slug, kind, "x", f"{kind.label}: {HOSTILE}")
        )

    page = (await browser.open("/alerts")).text
    for kind in AlertKind:
        assert f"{kind.label}: " in html.unescape(page)
    assert "<b>echo</b>" not in page
    assert "In the organization" not in page
    assert "unusual" not in (await browser.open(f"/connections/{connection.id}/uses")).text

    [one] = [each for each in await alerts.list(ada.id) if each.kind is AlertKind.ECHO]
    done = (await browser.submit(f"/alerts/{one.id}/dismiss")).text

    assert "Dismissed. It is told again" in done
    assert len(await alerts.list(ada.id)) == len(AlertKind) - 1


async def test_a_person_puts_a_connection_into_quarantine_and_lifts_it(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada)
    path = await world.connect(browser, connector.slug)
    await browser.open(path)

    page = (await browser.submit(f"{path}/quarantine")).text
    held = await world.services.connections.get(ada.id, path.rpartition("/")[2])
    lifted = (await browser.submit(f"{path}/quarantine", {"lift": "yes"})).text

    assert "In quarantine. No call goes there" in page
    assert "its tools are shown to no assistant" in page
    assert held.quarantined_at is not None
    assert "Lifted. Everything is as it was before." in lifted
    assert "In quarantine" not in lifted


async def test_an_owner_puts_a_service_into_quarantine_for_everybody_and_a_member_cannot(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    owner, _ = await world.signed_in("olga", role=Role.OWNER)
    connector = await world.connector(ada)
    await owner.open("/alerts")
    await browser.open("/alerts")
    fields = [("connector", connector.slug)]

    refused = await browser.post("/alerts/quarantine", [("csrf", browser.csrf()), *fields])
    page = (await owner.submit("/alerts/quarantine", dict(fields))).text

    assert refused.status_code == 404
    assert "In quarantine. No call goes there" in page
    assert (await world.services.connectors.get(connector.slug, ada)).state == "quarantined"
    await owner.submit("/alerts/quarantine", {**dict(fields), "lift": "yes"})
    assert (await world.services.connectors.get(connector.slug, ada)).state == "enabled"


async def test_an_owner_sees_how_many_people_and_nothing_of_whose_or_what(world: World) -> None:
    _, ada = await world.signed_in("ada")
    owner, _ = await world.signed_in("olga", role=Role.OWNER)
    connector = await world.connector(ada)
    connection = await world.connection(ada, connector)
    noticed = Noticed(ada.organization_id, ada.id, connection.id, connector.slug, AlertKind.ORDERS, "x", "Her words.")
    world.services.alerts.notice(noticed)

    page = (await owner.open("/alerts")).text
    [alert] = await world.services.alerts.list(ada.id)

    assert "In the organization" in page
    assert "Reads like orders" in page
    assert "Her words." not in page
    assert "Ada" not in page.replace("data-", "")
    assert (await owner.post(f"/alerts/{alert.id}/dismiss", [("csrf", owner.csrf())])).status_code == 404


async def test_what_was_noticed_at_a_service_that_is_gone_is_still_shown(world: World) -> None:
    owner, olga = await world.signed_in("olga", role=Role.OWNER)
    connection = await world.connection(olga, await world.connector(olga))
    gone = Noticed(olga.organization_id, olga.id, connection.id, "gone", AlertKind.ERRORS, "x", "It failed often.")
    world.services.alerts.notice(gone)

    page = await owner.open("/alerts")

    assert page.status_code == 200
    assert "It failed often." in page.text


async def test_a_service_is_reported_with_its_tools_as_they_were_seen(world: World) -> None:
    """CUS-09: the case stays as it was written; owners learn that there is one, and not whose."""
    browser, ada = await world.signed_in("ada")
    owner, _ = await world.signed_in("olga", role=Role.OWNER)
    connector = await world.connector(ada)
    path = await world.connect(browser, connector.slug)
    await browser.open(path)

    nothing = (await browser.submit(f"{path}/report", {})).text
    wrong = await browser.send(f"{path}/report", {"reason": "revenge"})
    await browser.open(path)
    done = (await browser.submit(f"{path}/report", {"reason": "pretends"})).text
    theirs = (await owner.open("/alerts")).text
    [case] = [one for one in await world.services.trail.list(OfPerson(ada.id)) if one.event == "connector.reported"]

    assert "Nothing was chosen" in nothing
    assert wrong.status_code >= 400
    assert "Reported, with its tools" in done
    assert (case.detail["reason"], case.detail["origin"]) == ("pretends", connector.origin)
    assert len(case.detail["snapshot"]) == 64
    assert "Reported by a person" in theirs
