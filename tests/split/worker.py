"""A worker with its vault and dialer beside it, in a process of its own, whose memory can be searched.

worker.py DATA SERVICE_URL CALLS REFRESHES MARK    prints where to consent, reads what came back, works, and waits
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path

from tests.split.conftest import SplitHub, split_hub
from valetkey.connections.model import Connection
from valetkey.connections.refresh import Outcome
from valetkey.connections.repository import Seen


async def say(*words: object) -> str:
    """Tells the test, and hears what it says to that."""
    print(*words, flush=True)
    return await asyncio.to_thread(sys.stdin.readline)


async def connect(hub: SplitHub, url: str) -> Connection:
    ada = hub.browser(await hub.person("ada"))
    attempt, where = await hub.go(ada, await hub.connector(ada.person, url))
    params = json.loads(await say(where))
    return await hub.come_back(ada, attempt, [(name, value) for name, value in params])


async def main(data: Path, url: str, calls: int, refreshes: int) -> None:
    async with split_hub(data) as hub:
        connection = await connect(hub, url)
        for number in range(calls):
            answer = await hub.call(connection, url)
            assert answer.status == 200, answer
            if number % max(1, calls // refreshes) == 0:
                seen = Seen.of(await hub.now(connection))
                assert await hub.room.refreshing.refresh(seen) is Outcome.FRESH
        gc.collect()
        await say("READY", *(process.pid for process in hub.kept.processes))


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
