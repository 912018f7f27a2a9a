"""Two authorization servers, one of which lies: no code of the honest one reaches the other, however mixed (T26)."""

from __future__ import annotations

import random
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.connections.conftest import Hub
from tests.connections.outside import AuthServer, Service
from valetkey.connections.model import Connection, State, issuer_hash
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import ValetkeyError


class Game:
    """One person, two connectors, and an attacker who is one of the servers and may send the browser anywhere.

    A code of the honest server comes to the callback that it was told when we registered there, and nowhere else; what
    stands beside it in the address the attacker chooses. What the attacker's own server says, it says at any address.
    """

    def __init__(
        self, hub: Hub, ada: BrowserSession, honest: tuple[Connector, AuthServer], evil: tuple[Connector, AuthServer]
    ) -> None:
        self.hub, self.ada = hub, ada
        self.connector, self.server = honest
        self.trap, self.evil = evil
        self.chance = random.Random(26)
        self.minted: set[str] = set()

    async def play(self) -> tuple[str, Connection | None]:
        """One run: how it was played, and the connection that came of it."""
        self._change_their_minds()
        attempt, url = await self.hub.go(self.ada, self.connector)
        _, evil_url = await self.hub.go(self.ada, self.trap)
        honest = dict(self.server.consent(url))
        self.minted.add(honest["code"])
        how = self.chance.choice(["mixed up", "injected", "straight"])
        here, there = attempt.facts.callback.rpartition("/")[2], issuer_hash(self.evil.issuer)
        callback = here
        if how == "mixed up":
            honest |= {"state": parse_qs(urlsplit(evil_url).query)["state"][0]}
            honest = self._with_any_iss(honest)
        elif how == "injected":
            honest = self._with_any_iss(honest | {"code": "a-code-of-the-evil-server"})
            callback = self.chance.choice([here, there])
        try:
            return how, await self.hub.room.connecting.finish(honest, self.ada, issuer_hash=callback)
        except ValetkeyError:
            return how, None

    def _change_their_minds(self) -> None:
        """The honest server speaks of itself or, as older ones, does not; the evil one may send people to the other."""
        self.server.promises_iss = self.chance.random() < 0.5
        self.server.iss = "" if self.server.promises_iss else None
        self.evil.promises_iss = self.chance.random() < 0.5
        elsewhere = {"authorization_endpoint": f"{self.server.issuer}/authorize"}
        self.evil.metadata = self.chance.choice([{}, elsewhere])

    def _with_any_iss(self, answer: dict[str, str]) -> dict[str, str]:
        iss = self.chance.choice(["as it was", "", self.server.issuer, self.evil.issuer])
        if iss == "as it was":
            return answer
        rest = {name: value for name, value in answer.items() if name != "iss"}
        return {**rest, "iss": iss} if iss else rest


@pytest.mark.parametrize("runs", [10, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
async def test_no_code_of_an_honest_server_is_ever_handed_to_another(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, runs: int
) -> None:
    async with AuthServer() as evil, Service(evil) as trap:
        connectors = await hub.connector(ada.person, service.url), await hub.connector(ada.person, trap.url)
        game = Game(hub, ada, (connectors[0], server), (connectors[1], evil))

        played = [await game.play() for _ in range(runs)]

        assert {how for how, _ in played} == {"mixed up", "injected", "straight"}
        for how, connection in played:
            assert (connection is not None and connection.state is State.CONNECTED) == (how == "straight"), how
        assert game.minted.isdisjoint(asked.form.get("code") for asked in evil.posts("/token"))
        assert evil.posts("/token") == []
        assert len(game.minted) == runs
