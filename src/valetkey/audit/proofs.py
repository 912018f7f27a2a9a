"""Proofs: that a record is in the log that was signed, and that one checkpoint continues another.

Whoever has a checkpoint they trust needs the record and its proof, not the log (RFC 9162 2.1.3.2, 2.1.4.2).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from valetkey.audit import checkpoint_repository, log_repository, verify_repository
from valetkey.audit.checkpoint_repository import KeptCheckpoint
from valetkey.audit.leaves import CALL, erased_by
from valetkey.audit.merkle import Tree
from valetkey.audit.model import EventsOf, Everyone, OfPerson, Scope
from valetkey.audit.verify_repository import LeafRow
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Conflict, NotFound
from valetkey.store.database import Database

_KEPT_SECONDS = 30.0
_LOOKED_AT = 2000  # leaves for one page of an export


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That `record`, exactly these bytes, is leaf `index` of the log under `checkpoint`; `leaf` is its hash.

    Of one that was erased the hash is all there is, and the record is empty.
    """

    index: int
    record: bytes
    checkpoint: KeptCheckpoint
    proof: tuple[bytes, ...]
    leaf: bytes = b""


@dataclass(frozen=True, slots=True)
class Consistency:
    """That the log under `after` begins with the log under `before`."""

    before: KeptCheckpoint
    after: KeptCheckpoint
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """Some records in order, all under one checkpoint. `next_from` is where to go on, -1 at the end."""

    checkpoint: KeptCheckpoint
    records: tuple[Inclusion, ...]
    next_from: int


class Proofs:
    """Proves things about the log, to whoever may read the record in question."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._tree = Tree([])
        self._until = 0.0
        self._alone = asyncio.Lock()

    async def of(self, kind: str, reference: str, scope: Scope) -> Inclusion:
        """Of the leaf of a call (its id) or an event (its number). Raises `NotFound`, also for what is not theirs."""
        async with self._database.read() as tx:
            leaf = await verify_repository.find_leaf(tx, kind, reference)
            last = await checkpoint_repository.find_last(tx)
        if leaf is None or not may_read(leaf.record, scope):
            raise NotFound("There is no such record in the log.")
        if last is None or leaf.seq >= last.size:
            raise Conflict(
                "No checkpoint covers this record yet.", hint="One is made every minute; `valetkey trail checkpoint`."
            )
        return _inclusion(await self._up_to(last), leaf, last)

    async def consistency(self, before: int, after: int) -> Consistency:
        """Between two checkpoints, by their numbers. Raises `NotFound`, `Conflict`."""
        async with self._database.read() as tx:
            earlier = await checkpoint_repository.find_numbered(tx, before)
            later = await checkpoint_repository.find_numbered(tx, after)
        if earlier.size > later.size:
            raise Conflict("The first of the two is the later one.", hint="Name them in the order they were made.")
        tree = await self._up_to(later)
        return Consistency(earlier, later, tuple(tree.prove_consistency(earlier.size, later.size)))

    async def export(self, scope: Scope, *, start: int, checkpoint: int = 0) -> Exported:
        """What the scope may read from record `start` on, under that checkpoint (0: the last). Raises `Conflict`."""
        async with self._database.read() as tx:
            numbered = checkpoint_repository.find_numbered(tx, checkpoint) if checkpoint else None
            under = await numbered if numbered else await checkpoint_repository.find_last(tx)
            if under is None:
                raise Conflict("There is no checkpoint yet.", hint="`valetkey trail checkpoint` makes one.")
            leaves = await verify_repository.find_leaves(tx, start, _LOOKED_AT)
        leaves = [leaf for leaf in leaves if leaf.seq < under.size]
        tree = await self._up_to(under)
        records = tuple(_inclusion(tree, leaf, under) for leaf in leaves if may_read(leaf.record, scope))
        return Exported(under, records, leaves[-1].seq + 1 if leaves and leaves[-1].seq + 1 < under.size else -1)

    async def _up_to(self, checkpoint: KeptCheckpoint) -> Tree:
        """The tree over at least so many leaves, kept for half a minute: exports and auditors ask for many proofs."""
        async with self._alone:
            if self._tree.size < checkpoint.size or self._clock.monotonic() >= self._until:
                async with self._database.read() as tx:
                    leaves = await log_repository.find_hashes(tx, checkpoint.size)
                self._tree = await asyncio.to_thread(Tree, leaves)
                asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._let_go, self._tree)
                self._until = self._clock.monotonic() + _KEPT_SECONDS
            tree = self._tree
        if tree.size < checkpoint.size or tree.root(checkpoint.size) != checkpoint.root:
            raise Conflict(
                "The log is not the one that was signed, so nothing can be proven.",
                hint="Run `valetkey trail verify`: it names the record.",
            )
        return tree

    def _let_go(self, tree: Tree) -> None:
        if self._tree is tree:
            self._tree, self._until = Tree([]), 0.0


def may_read(record: bytes, scope: Scope) -> bool:
    """Whether a record of the log is of this scope."""
    if isinstance(scope, Everyone):
        return True
    try:
        told = json.loads(record)
    except ValueError:
        return False
    if isinstance(scope, OfPerson):
        return bool(scope.person_id) and told.get("person_id") == scope.person_id
    if isinstance(scope, EventsOf) and told.get("kind") == CALL and told.get("person_id") != scope.person_id:
        return False
    return bool(scope.organization_id) and told.get("organization_id") == scope.organization_id


def _inclusion(tree: Tree, leaf: LeafRow, under: KeptCheckpoint) -> Inclusion:
    record = b"" if erased_by(leaf.record) else leaf.record
    return Inclusion(leaf.seq, record, under, tuple(tree.prove_inclusion(leaf.seq, under.size)), leaf.hash)


def hashes(proof: Sequence[bytes]) -> list[str]:
    """As JSON has them, in hex."""
    return [one.hex() for one in proof]
