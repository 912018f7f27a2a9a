"""The dialer's process: every outbound socket, and no key but that of tickets made for it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from pathlib import Path

from valetkey.beside.channel import Channel, Verbs
from valetkey.kernel.clock import SystemClock
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.beside.serving import Serving
from valetkey.net.dialer import Dialer
from valetkey.split.boot import DialerBoot
from valetkey.vault.boxes import TicketOpener


async def serve(parent: socket.socket) -> None:
    """Dials for others until the parent is gone."""
    ended = asyncio.Event()
    clock = SystemClock()
    opened: list[Serving] = []

    async def boot(told: DialerBoot) -> bool:
        policy = AddressPolicy(
            [ipaddress.ip_network(network) for network in told.allow_network],
            lambda: told.listening,
            [told.own_origin],
        )
        dialer = Dialer(policy, clock=clock, ca_file=Path(told.ca_file) if told.ca_file else None)
        serving = Serving(dialer, TicketOpener(clock), worker_word=told.worker_word, vault_word=told.vault_word)
        await serving.listen(Path(told.path))
        opened.append(serving)
        return True

    await asyncio.get_running_loop().create_unix_connection(
        lambda: Channel(Verbs({"boot": boot}), lost=ended.set), sock=parent
    )
    await ended.wait()
    for serving in opened:
        await serving.close()
