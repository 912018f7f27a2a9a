"""The dialer's process as a program: `python -m valetkey.cli.dialer_process FD`, started by the hub and nobody else."""

from __future__ import annotations

from valetkey.beside.children import run_child
from valetkey.cli.log import write_log_to_stderr
from valetkey.split.dialer import serve

if __name__ == "__main__":
    write_log_to_stderr()
    run_child(serve)
