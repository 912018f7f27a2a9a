"""The Merkle tree of RFC 6962: its root as leaves are appended, and proofs that a log holds a record and only grew.

Pure: hashes in, hashes out. A leaf's hash and an inner node's begin with different bytes, so neither passes for the
other (RFC 6962 2.1). Whoever verifies needs a proof and a root they trust, not the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a log without leaves."""


def leaf_hash(record: bytes) -> bytes:
    return sha256(b"\0" + record).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: the roots of its complete subtrees, largest first. O(log n) in every way."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Adds a leaf, given by its hash."""
        index, peaks = self.size, self._peaks
        while index & 1:  # two subtrees of the same size become one
            leaf = _node_hash(peaks.pop(), leaf)
            index >>= 1
        peaks.append(leaf)
        self.size += 1

    def copy(self) -> Frontier:
        twin = Frontier()
        twin.size, twin._peaks = self.size, self._peaks.copy()
        return twin

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = _node_hash(peak, root)
        return root

    def to_bytes(self) -> bytes:
        """The peaks one after the other; how many there are follows from the size."""
        return b"".join(self._peaks)

    @classmethod
    def from_bytes(cls, size: int, peaks: bytes) -> Frontier:
        """What `to_bytes` gave, for a tree of `size` leaves. Raises `ValueError` if that cannot be."""
        if size < 0 or len(peaks) != HASH_SIZE * size.bit_count():
            raise ValueError("these are not the peaks of a tree of that size")
        frontier = cls()
        frontier.size = size
        frontier._peaks = [peaks[at : at + HASH_SIZE] for at in range(0, len(peaks), HASH_SIZE)]
        return frontier


class Tree:
    """A log's leaves with all complete inner nodes, for many proofs: each costs O(log² n) once this is built.

    It gives what `prove_inclusion` and `prove_consistency` give, which follow the RFC's definition word for word.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.size = len(leaves)
        self._levels: list[Sequence[bytes]] = [leaves]
        while len(level := self._levels[-1]) > 1:
            self._levels.append([_node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)])

    def root(self, size: int) -> bytes:
        """Of the log when it had `size` leaves."""
        return self._root(0, size) if size else EMPTY_ROOT

    def prove_inclusion(self, index: int, size: int) -> list[bytes]:
        """That the leaf at `index` is in the log of `size` leaves. Raises `IndexError`."""
        if not 0 <= index < size <= self.size:
            raise IndexError(index)
        proof: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                proof.append(self._root(middle, end))
                end = middle
            else:
                proof.append(self._root(start, middle))
                start = middle
        return proof[::-1]

    def prove_consistency(self, before: int, size: int) -> list[bytes]:
        """That the log of `size` leaves continues the one of `before`. Raises `IndexError`."""
        if not 0 <= before <= size <= self.size:
            raise IndexError(before)
        if before in (0, size):
            return []
        proof: list[bytes] = []
        start, end, is_known = 0, size, True
        while end != before:
            middle = start + _split(end - start)
            if before <= middle:
                proof.append(self._root(middle, end))
                end = middle
            else:
                proof.append(self._root(start, middle))
                start, is_known = middle, False
        if not is_known:
            proof.append(self._root(start, end))
        return proof[::-1]

    def _root(self, start: int, end: int) -> bytes:
        """Over a range that is a subtree: `start` is a multiple of the power of two at or above its length."""
        length = end - start
        if not length & (length - 1):
            level = length.bit_length() - 1
            return self._levels[level][start >> level]
        middle = start + _split(length)
        return _node_hash(self._root(start, middle), self._root(middle, end))


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def prove_inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The proof that the leaf at `index` (from 0) is in the tree over `leaves` (RFC 6962 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*prove_inclusion(leaves[:split], index), root_of(leaves[split:])]
    return [*prove_inclusion(leaves[split:], index - split), root_of(leaves[:split])]


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that `leaf` (a hash) is at `index` of the log of `size` leaves with `root`.

    RFC 9162 2.1.3.2. False for anything malformed; never raises.
    """
    if not 0 <= index < size or not _are_hashes(leaf, root, *proof):
        return False
    place, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            computed = _node_hash(sibling, computed)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            computed = _node_hash(computed, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and computed == root


def prove_consistency(leaves: Sequence[bytes], before: int) -> list[bytes]:
    """The proof that the tree over `leaves` continues the one over the first `before` of them (RFC 6962 2.1.2).

    Empty when they are the same, or when the earlier one was empty: everything continues that.
    """
    if not 0 <= before <= len(leaves):
        raise IndexError(before)
    return _subproof(leaves, before, is_known=True) if before else []


def _subproof(leaves: Sequence[bytes], before: int, *, is_known: bool) -> list[bytes]:
    """`is_known`: the subtree is the whole earlier tree, whose root the verifier has already."""
    if before == len(leaves):
        return [] if is_known else [root_of(leaves)]
    split = _split(len(leaves))
    if before <= split:
        return [*_subproof(leaves[:split], before, is_known=is_known), root_of(leaves[split:])]
    return [*_subproof(leaves[split:], before - split, is_known=False), root_of(leaves[:split])]


def verify_consistency(*, before: int, root_before: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the log of `size` leaves with `root` continues that of `before` with `root_before`.

    RFC 9162 2.1.4.2. False for anything malformed; never raises.
    """
    if not 0 <= before <= size or not _are_hashes(root_before, root, *proof):
        return False
    if before == size:
        return not proof and root_before == root
    if before == 0:
        return not proof and root_before == EMPTY_ROOT
    path = list(proof)
    if not before & (before - 1):
        path.insert(0, root_before)  # a complete subtree: its root is where the proof begins
    if not path:
        return False
    place, last = before - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = _node_hash(sibling, old), _node_hash(sibling, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = _node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and old == root_before and new == root


def _split(size: int) -> int:
    """The largest power of two below `size`: where a tree of more than one leaf divides."""
    return 1 << ((size - 1).bit_length() - 1)


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)
