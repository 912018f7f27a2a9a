"""Every operation of the API under requests that nobody thought of, from everybody (T48).

Schemathesis makes them of our own description: some as it allows, some as it forbids. Whatever comes, no answer may be
a failure of the hub, none other than the description says, and what it forbids must not be taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import count, cycle
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.api.described import ANSWERS, REFUSALS, Case, Operation, operations, wrong_with
from tests.api.test_doors import TABLE, World, furnished
from valetkey.api.asking import Scope
from valetkey.identity.model import Role

FEW = (Scope.CALLS_READ, Scope.CONNECTIONS_READ)
WHO = ("owner", "operator", "nobody", "member", "few scopes", "auditor", "admin", "stranger")
_ENDING = ("/data/erase", "/leave", "/disable", "/revoke-all", "/seal", "/disconnect-all")

_keys = count()


class Crowd:
    """Everybody who might ask, each with a client, in one furnished hub."""

    def __init__(self, directory: Path) -> None:
        self._runner = asyncio.Runner()
        self._furnished = furnished(directory)
        self.world: World = self._runner.run(self._furnished.__aenter__())
        self._clients = self._runner.run(self._everybody())

    async def _everybody(self) -> dict[str, httpx2.AsyncClient]:
        hub, organization = self.world.hub, self.world.hub.people["ada"].organization_id
        for login, role in (("grace", Role.AUDITOR), ("alan", Role.ADMIN)):
            await hub.add(login, organization, role)
        return {
            "owner": await self.world.with_scopes("ada"),
            "operator": hub.operator,
            "nobody": hub.nobody,
            "member": await self.world.with_scopes("bob"),
            "few scopes": await self.world.with_scopes("ada", *FEW),
            "auditor": await self.world.with_scopes("grace"),
            "admin": await self.world.with_scopes("alan"),
            "stranger": await self.world.with_scopes("eve"),
        }

    def ask(self, who: str, case: Case) -> httpx2.Response:
        request = case.as_transport_kwargs(base_url="http://localhost:8484/api/v1")
        return self._runner.run(
            self._clients[who].request(
                request["method"],
                request["url"],
                params=request.get("params"),
                headers=request.get("headers"),
                json=request.get("json"),
                content=request.get("data"),
            )
        )

    def close(self) -> None:
        self._runner.run(self._furnished.__aexit__(None, None, None))
        self._runner.close()


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    gathered = Crowd(tmp_path_factory.mktemp("crowd"))
    yield gathered
    gathered.close()


def in_an_order_that_keeps_things() -> Sequence[tuple[str, str]]:
    """What ends things comes last, or there would be nothing left to ask for."""
    return sorted(TABLE, key=lambda route: (route[0] == "DELETE", route[1].endswith(_ENDING)))


@st.composite
def requests(draw: Any, operation: Operation, mode: GenerationMode, crowd: Crowd) -> Case:
    """A request that the description allows or forbids; more often than not for something that is there."""
    case: Case = draw(operation.as_strategy(generation_mode=mode))
    if mode is GenerationMode.POSITIVE:
        if case.path_parameters and draw(st.integers(0, 3)):
            case.path_parameters = {name: crowd.world.things.path(f"{{{name}}}") for name in case.path_parameters}
        if "Idempotency-Key" in (case.headers or {}):  # or most would be refused: there is but one use of a key
            case.headers["Idempotency-Key"] = str(next(_keys))
    return case


def play(
    operation: Operation, crowd: Crowd, mode: GenerationMode, *, times: int, who: Iterator[str], each: int
) -> None:
    checks = ANSWERS if mode is GenerationMode.POSITIVE else REFUSALS

    @settings(
        max_examples=times,
        derandomize=times < 100,
        suppress_health_check=list(HealthCheck),
        deadline=None,
        database=None,
        phases=[Phase.generate],
    )
    @given(requests(operation, mode, crowd))
    def holds(case: Case) -> None:
        for _ in range(each):
            asker = next(who)
            assert wrong_with(crowd.ask(asker, case), case, checks=checks) == [], asker

    holds()


def can_be_asked_wrongly(operation: Operation) -> bool:
    """Else the path is all there is, and anything may stand in it."""
    return bool(operation.query or operation.body)


LONG = [pytest.mark.long, pytest.mark.timeout(7200)]


@pytest.mark.parametrize("part", range(6))
@pytest.mark.parametrize(
    ("times", "each", "apart"), [(2, 1, 12), pytest.param(100, len(WHO), 6, marks=LONG)], ids=["some", "all"]
)
def test_no_request_makes_the_api_fail_or_answer_what_it_does_not_say(
    crowd: Crowd, times: int, each: int, apart: int, part: int
) -> None:
    """T48. Every other operation, or in the long run each; what each answers to whom in order is in test_doors."""
    who = cycle(WHO)

    for route in in_an_order_that_keeps_things()[part::apart]:
        operation = operations()[route]
        play(operation, crowd, GenerationMode.POSITIVE, times=times, who=who, each=each)
        if can_be_asked_wrongly(operation):
            play(operation, crowd, GenerationMode.NEGATIVE, times=times // 2, who=who, each=each)
