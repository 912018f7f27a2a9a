#!/usr/bin/env python3
"""Checks what `valetkey trail export` printed, without Valetkey: python3 verify_export.py EXPORT KEY [CHECKPOINT]

EXPORT is a file of JSON Lines, KEY the verifier key as `valetkey trail status` prints it, CHECKPOINT a signed note that
was kept elsewhere: then the log must also begin with what that one was over (needs an export of all records). Exit code
0 when everything holds. Standard library and `cryptography`; written from the specifications, sharing no code with the
product: RFC 6962 (leaves, nodes), RFC 9162 2.1.3.2 (inclusion), C2SP signed-note and tlog-checkpoint.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def leaf_hash(record):
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def open_note(text, verifier_key):
    """Size and root of a signed checkpoint; stops the program when it is not signed by the key."""
    name, key_id, key = verifier_key.split("+", 2)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
    body, signatures = text.split("\n\n", 1)
    for line in signatures.splitlines():
        _dash, signer, signature = line.split(" ")
        raw = base64.b64decode(signature)
        if signer == name and raw[:4].hex() == key_id:
            public.verify(raw[4:], (body + "\n").encode())  # raises InvalidSignature
            origin, size, root = body.split("\n")
            assert origin == name, f"a checkpoint of {origin}, not of {name}"
            return int(size), base64.b64decode(root)
    sys.exit("The checkpoint is not signed by this key.")


def root_by_proof(leaf, index, size, proof):
    """RFC 9162 2.1.3.2: the root that the proof leads to."""
    place, last, node = index, size - 1, leaf
    for sibling in proof:
        if place % 2 or place == last:
            node = node_hash(sibling, node)
            while place % 2 == 0 and place:
                place, last = place // 2, last // 2
        else:
            node = node_hash(node, sibling)
        place, last = place // 2, last // 2
    return node if last == 0 else b""


def root_of(leaves):
    """RFC 6962 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))


def main(export, verifier_key, checkpoint=None):
    head, *records = map(json.loads, Path(export).read_text().strip().split("\n"))
    size, root = open_note(head["checkpoint"], verifier_key)
    leaves = {}
    for record in records:
        written, index = record["record"].encode(), record["index"]
        leaves[index] = leaf_hash(written) if written else bytes.fromhex(record["leaf"])  # erased: its hash is left
        if written and json.loads(written)["seq"] != index:
            sys.exit(f"Record {index} was written as another one.")
        if root_by_proof(leaves[index], index, size, map(bytes.fromhex, record["proof"])) != root:
            sys.exit(f"Record {index} is not in the log that was signed.")
    if checkpoint:
        earlier, earlier_root = open_note(Path(checkpoint).read_text(), verifier_key)
        if sorted(leaves)[:earlier] != list(range(earlier)):
            sys.exit("The export does not hold all records that the checkpoint is over.")
        if root_of([leaves[index] for index in range(earlier)]) != earlier_root:
            sys.exit("The log is not the one that the checkpoint was over.")
    print(f"{len(leaves)} records are in the log of {size} that was signed.")


if __name__ == "__main__":
    main(*sys.argv[1:])
