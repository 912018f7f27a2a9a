"""Checkpoints as objects in an S3-compatible bucket, locked so that nobody can change or delete them (AWS SigV4)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from valetkey.audit.checkpoint_repository import KeptCheckpoint
from valetkey.audit.sinks import Means
from valetkey.audit.sinks.address import Address
from valetkey.kernel.errors import BadInput, OutboundFailed
from valetkey.net.model import Url

_DAYS = 365
_MODES = ("COMPLIANCE", "GOVERNANCE", "none")


class S3Sink:
    """`s3://bucket/prefix?region=…&credentials=FILE[&endpoint=https://…][&days=365][&lock=COMPLIANCE]`."""

    def __init__(self, address: Address, means: Means) -> None:
        self.name = address.name
        self._address = address
        self._web, self._clock = means.web, means.clock
        self._region = address.options.get("region", "us-east-1")
        self._lock = address.options.get("lock", "COMPLIANCE")
        days = address.options.get("days", str(_DAYS))
        if (
            not address.place
            or not days.isdecimal()
            or self._lock not in _MODES
            or "credentials" not in address.options
        ):
            raise BadInput(
                "An S3 sink needs a bucket, credentials, and a lock of so many days.",
                hint="Write s3://bucket/prefix?region=eu-central-1&credentials=/etc/valetkey/s3",
            )
        self._days = int(days)
        endpoint = address.options.get("endpoint", "")
        host = f"https://{address.place}.s3.{self._region}.amazonaws.com"
        self._base = f"{endpoint.rstrip('/')}/{address.place}" if endpoint else host
        self._parse_url = means.parse_url
        self._parse_url(self._base, what="S3 endpoint")

    async def send(self, checkpoint: KeptCheckpoint) -> None:
        key_id, secret = self._address.credentials()
        now = self._clock.now().astimezone(UTC)
        prefix = self._address.path.strip("/")
        name = f"{prefix}/{checkpoint.number:08}.checkpoint".lstrip("/")
        url = self._parse_url(f"{self._base}/{quote(name)}", what="S3 endpoint")
        body = checkpoint.note.encode()
        headers = {"content-type": "text/plain", "x-amz-checksum-sha256": base64.b64encode(_sha256(body)).decode()}
        if self._lock != "none":
            until = (now + timedelta(days=self._days)).strftime("%Y-%m-%dT%H:%M:%SZ")
            headers |= {"x-amz-object-lock-mode": self._lock, "x-amz-object-lock-retain-until-date": until}
        signed = sign("PUT", url, headers, body, key_id=key_id, secret=secret, region=self._region, now=now)
        answer = await self._web.put(url, body=body, content_type=headers.pop("content-type"), headers=headers | signed)
        if answer.status != 200:
            raise OutboundFailed(f"{url.host} answered with status {answer.status}.", hint="Is object lock enabled?")


def sign(
    method: str,
    url: Url,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key_id: str,
    secret: str,
    region: str,
    now: datetime,
) -> dict[str, str]:
    """The headers that sign a request without a query: signature version 4, `authorization` and what it covers."""
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    digest = hashlib.sha256(body).hexdigest()
    own = {"x-amz-date": stamp, "x-amz-content-sha256": digest}
    covered = {"host": url.origin.partition("://")[2], **headers, **own}
    names = sorted(covered)
    lines = "".join(f"{name}:{covered[name].strip()}\n" for name in names)
    request = "\n".join([method, url.path, "", lines, ";".join(names), digest])
    scope = f"{day}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"AWS4-HMAC-SHA256 Credential={key_id}/{scope},SignedHeaders={';'.join(names)},Signature={signature}"
    return own | {"authorization": credential}


def _sha256(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
