"""T13: the tree is the one of RFC 6962, by its vectors, by its definition and by another implementation."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valetkey.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The reference log of certificate-transparency: its leaves, and its roots for 0 to 8 of them.
REFERENCE = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
REFERENCE.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
MOST = 1_025
RECORDS = [b"record %d" % number for number in range(MOST)]
LEAVES = [leaf_hash(record) for record in RECORDS]


@cache
def defined(begin: int, end: int) -> bytes:
    """MTH of RFC 6962 2.1, as it is written there."""
    size = end - begin
    if size == 0:
        return sha256(b"").digest()
    if size == 1:
        return LEAVES[begin]
    k = 1
    while k * 2 < size:
        k *= 2
    return sha256(b"\1" + defined(begin, begin + k) + defined(begin + k, end)).digest()


@cache
def oracle(size: int = MOST) -> pymerkle.InmemoryTree:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for record in RECORDS[:size]:
        tree.append_entry(record)
    return tree


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert root_of([leaf_hash(record) for record in REFERENCE[:size]]).hex() == ROOTS[size]


def test_the_root_of_every_size_is_the_defined_one_and_the_oracles() -> None:
    frontier = Frontier()

    assert frontier.root() == defined(0, 0) == EMPTY_ROOT
    for size, leaf in enumerate(LEAVES, 1):
        frontier.append(leaf)
        assert frontier.root() == defined(0, size) == oracle().get_root(size), size


def test_a_frontier_goes_on_from_what_was_kept_of_it() -> None:
    frontier = Frontier()
    for size, leaf in enumerate(LEAVES[:300]):
        kept = Frontier.from_bytes(size, frontier.to_bytes())
        twin = frontier.copy()
        for each in (frontier, kept, twin):
            each.append(leaf)
        assert kept.root() == twin.root() == frontier.root()

    with pytest.raises(ValueError):
        Frontier.from_bytes(3, frontier.to_bytes())


def test_every_inclusion_proof_of_small_logs_verifies_and_for_its_own_place_only() -> None:
    for size in range(1, 34):
        root = defined(0, size)
        for index in range(size):
            proof = prove_inclusion(LEAVES[:size], index)
            holds = [
                verify_inclusion(leaf=LEAVES[index], index=place, size=size, proof=proof, root=root)
                for place in range(-1, size + 1)
            ]
            assert [place - 1 for place, held in enumerate(holds) if held] == [index]


def test_every_consistency_proof_between_small_logs_verifies_and_between_no_others() -> None:
    for size in range(34):
        for before in range(size + 1):
            proof = prove_consistency(LEAVES[:size], before)
            for other in range(size + 1):
                held = verify_consistency(
                    before=other, root_before=defined(0, other), size=size, root=defined(0, size), proof=proof
                )
                assert held == (other == before or (not proof and other in (0, size))), (before, other, size)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_proofs_are_the_oracles_proofs(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    index = data.draw(st.integers(0, size - 1))

    proof = prove_inclusion(LEAVES[:size], index)

    assert verify_inclusion(leaf=LEAVES[index], index=index, size=size, proof=proof, root=defined(0, size))
    theirs = oracle().prove_inclusion(index + 1, size)  # it counts from 1
    assert _path(theirs) == [LEAVES[index], *proof]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_later_log_is_shown_to_continue_an_earlier_one(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    before = data.draw(st.integers(1, size))

    proof = prove_consistency(LEAVES[:size], before)

    assert verify_consistency(
        before=before, root_before=defined(0, before), size=size, root=defined(0, size), proof=proof
    )
    theirs = oracle().prove_consistency(before, size)
    pymerkle.verify_consistency(defined(0, before), defined(0, size), theirs)


@settings(max_examples=2_000, deadline=None)
@given(st.data())
def test_a_changed_inclusion_proof_proves_nothing(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    proof = prove_inclusion(LEAVES[:size], index)
    parts = data.draw(changed([LEAVES[index], defined(0, size), *proof]))

    assert not (
        len(parts) >= 2 and verify_inclusion(leaf=parts[0], index=index, size=size, proof=parts[2:], root=parts[1])
    )


@settings(max_examples=2_000, deadline=None)
@given(st.data())
def test_a_changed_consistency_proof_proves_nothing(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 300))
    before = data.draw(st.integers(1, size - 1))
    proof = prove_consistency(LEAVES[:size], before)
    parts = data.draw(changed([defined(0, before), defined(0, size), *proof]))

    assert not (
        len(parts) >= 2
        and verify_consistency(before=before, root_before=parts[0], size=size, root=parts[1], proof=parts[2:])
    )


@st.composite
def changed(draw: st.DrawFn, parts: list[bytes]) -> list[bytes]:
    """`parts` with a bit flipped, one left out, one more, or two exchanged; never as they were."""
    mutated = list(parts)
    place = draw(st.integers(0, len(parts) - 1))
    how = draw(st.sampled_from(["flip", "drop", "add", "swap", "cut"]))
    if how == "flip":
        bit = draw(st.integers(0, 255))
        mutated[place] = (int.from_bytes(parts[place]) ^ (1 << bit)).to_bytes(32)
    elif how == "drop":
        del mutated[place]
    elif how == "add":
        mutated.insert(place, draw(st.binary(min_size=32, max_size=32)))
    elif how == "cut":
        mutated[place] = parts[place][:-1]
    else:
        other = draw(st.integers(0, len(parts) - 1))
        mutated[place], mutated[other] = mutated[other], mutated[place]
    if mutated == parts:
        mutated.append(b"\0" * 32)
    return mutated


def _path(proof: pymerkle.MerkleProof) -> list[bytes]:
    return [bytes.fromhex(node) for node in proof.serialize()["path"]]


def test_a_built_tree_gives_the_roots_and_proofs_of_the_definition() -> None:
    """Exports and auditors ask for many proofs: they come from here, and must be the defined ones."""
    tree = Tree(LEAVES[:70])

    for size in range(71):
        assert tree.root(size) == defined(0, size)
        for index in range(size):
            assert tree.prove_inclusion(index, size) == prove_inclusion(LEAVES[:size], index)
        for before in range(size + 1):
            assert tree.prove_consistency(before, size) == prove_consistency(LEAVES[:size], before)


@given(st.data())
def test_a_built_trees_proofs_verify_at_every_size(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    index, before = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    proof, continues = built().prove_inclusion(index, size), built().prove_consistency(before, size)

    assert verify_inclusion(leaf=LEAVES[index], index=index, size=size, proof=proof, root=defined(0, size))
    assert verify_consistency(
        before=before, root_before=defined(0, before), size=size, root=defined(0, size), proof=continues
    )


@cache
def built() -> Tree:
    return Tree(LEAVES)
