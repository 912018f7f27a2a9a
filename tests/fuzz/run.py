"""One target under libFuzzer, which does not return: started by `tests.fuzz`, in a process of its own."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["valetkey"], enable_loader_override=False):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]].read)
    atheris.Fuzz()
