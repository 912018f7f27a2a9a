"""The vault's process as a program: `python -m valetkey.cli.vault_process FD`, started by the hub and nobody else."""

from __future__ import annotations

from functools import partial

from valetkey.beside.children import run_child
from valetkey.cli.log import write_log_to_stderr
from valetkey.cli.passphrase import ask_for_passphrase
from valetkey.split.vault import serve

if __name__ == "__main__":
    write_log_to_stderr()
    run_child(partial(serve, ask=ask_for_passphrase))
