"""`./x bench` and `python -m bench`."""

from __future__ import annotations

import sys

from bench.run import main

# `./x` passes its own verb along.
sys.exit(main([argument for index, argument in enumerate(sys.argv[1:]) if (index, argument) != (0, "bench")]))
