"""`valetkey` and `python -m valetkey`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs one command; ends the process with 0 done, 1 failed, 2 wrong usage or 78 refuses to start."""
    from valetkey.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
