"""Reading parameters strictly: what occurs twice could be read two ways, so it is refused (RFC 6749 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from valetkey.authserver.model import OAuthError

FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 50
LARGEST_FORM = 32 * 1024


class Parameters(Mapping[str, str]):
    """Parameters by name. One that is empty counts as not sent; one sent twice stands in `repeated`."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        repeated = set()
        for name, value in pairs:
            if value and name in self._values:
                repeated.add(name)
            elif value:
                self._values[name] = value
        self.repeated = frozenset(repeated)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def read_parameters(encoded: bytes) -> Parameters:
    """Raises `OAuthError` (`invalid_request`)."""
    try:
        text = encoded.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise OAuthError("invalid_request", "The parameters cannot be read.") from error
    if any("\0" in value for _, value in pairs):
        raise OAuthError("invalid_request", "A parameter holds a NUL character.")
    return Parameters(pairs)


async def read_body(request: Request, *, content_type: str, limit: int) -> bytes:
    """The body, if it is of this type and at most `limit` bytes. Raises `OAuthError` (`invalid_request`)."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != content_type:
        raise OAuthError("invalid_request", f"The content type is not {content_type}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise OAuthError("invalid_request", f"The request is larger than {limit} bytes.", status=413)
    return bytes(body)


async def read_form(request: Request) -> Parameters:
    """A form body. Raises `OAuthError`, also for any parameter sent twice."""
    form = read_parameters(await read_body(request, content_type=FORM, limit=LARGEST_FORM))
    if form.repeated:
        raise OAuthError("invalid_request", "A parameter was sent twice.")
    return form
