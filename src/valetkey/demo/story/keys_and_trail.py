"""Keys exchanged under a running assistant; and somebody who edits the trail behind the hub's back, and is found."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from valetkey.demo.story.assistant import Json, text_of
from valetkey.demo.story.hub import Hub, expect

_EDITED = 12  # how `valetkey trail verify` ends when a record was modified


def rotated_while_calling(hub: Hub, call: Callable[[], Json]) -> str:
    """Exchanges the root key and the organizations' keys while `call` goes on and on."""
    enough = threading.Event()
    results: list[Json] = []
    failed: list[str] = []

    def go_on_calling() -> None:
        while not enough.is_set():
            try:
                results.append(call())
            except Exception as error:  # noqa: BLE001 – whatever it is, the step was not seen
                failed.append(f"{type(error).__name__}: {error}")

    calling = threading.Thread(target=go_on_calling)
    calling.start()
    try:
        hub.command("key", "rotate", "root")
        # Everybody's keys hang on the new root key by now; each organization's own is exchanged, too.
        for organization in hub.command("org", "list")["items"]:
            hub.command("key", "rotate", "tenant", organization["id"])
    finally:
        enough.set()
        calling.join()
    failed += [text_of(result) for result in results if result.get("isError")]
    status = hub.command("key", "status")
    left = status["organization_keys_on_older_roots"] + status["data_keys_on_older_keys"]
    expect(not failed, f"{len(failed)} of {len(results)} calls failed: {failed[:1]}")
    expect(len(results) > 1, "no call was made meanwhile")
    expect(left == 0, f"{left} keys are left on older ones")
    return (
        f"{len(results)} calls meanwhile, all answered; root key version {status['roots'][-1]['version']}, 0 keys left"
    )


def verified(hub: Hub) -> str:
    checkpoint = hub.command("trail", "checkpoint")
    report = hub.command("trail", "verify")
    expect(report["is_whole"], f"{report['findings']}")
    expect(report["signed_size"] == checkpoint["size"], f"signed up to {report['signed_size']} of {checkpoint['size']}")
    signer = checkpoint["key"].partition("+")[0]
    return f"{report['size']} records whole, all of them under checkpoint {checkpoint['number']}, signed by {signer}"


def edited_and_found(hub: Hub) -> str:
    """What somebody with the database file could do: change who called what, in one row."""
    key = hub.command("trail", "status")["key"]
    with tempfile.TemporaryDirectory(prefix="valetkey-demo-copy-") as directory:
        path = Path(directory, "copy.db")
        with closing(sqlite3.connect(hub.data / "valetkey.db")) as source, closing(sqlite3.connect(path)) as copy:
            source.backup(copy)
        whole = hub.command("trail", "verify", "--copy", str(path), "--key", key)
        expect(whole["is_whole"], f"the copy is not whole to begin with: {whole['findings']}")
        with closing(sqlite3.connect(path)) as copy, copy:
            (edited,) = copy.execute(
                "select id from call_record where outcome = 'ok' and tool like '%read_note' limit 1"
            ).fetchone()
            copy.execute("update call_record set tool = 'delete_note' where id = ?", (edited,))
        report = hub.command("trail", "verify", "--copy", str(path), "--key", key, ends_with=_EDITED)
    (finding,) = report["findings"]
    expect(finding["reference"] == edited, f"named was {finding}, edited was {edited}")
    return f"{whole['size']} records whole; then record {finding['record']}: “{finding['says']}” Exit code {_EDITED}"
