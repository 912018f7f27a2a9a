"""Where a door for programs stands in the site map."""

from __future__ import annotations

import re

from starlette.routing import Mount
from starlette.types import ASGIApp


class Below(Mount):
    """Everything below `path`, whatever stands there: Starlette's own leaves out paths with a line break in them, and
    the pages would answer those."""

    def __init__(self, path: str, app: ASGIApp) -> None:
        super().__init__(path, app=app)
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z", re.DOTALL)
