"""`valetkey review`: whether a connector is fit to be listed, clause by clause of the directory policy.

Runs on its own: no hub, no data directory, nothing kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from valetkey.cli.printing import as_json, note, print_json

if TYPE_CHECKING:
    from valetkey.kernel.secret import Secret
    from valetkey.net.address_policy import AddressPolicy
    from valetkey.review.crawl import Asked
    from valetkey.review.model import Listing, Report, SeenTool

MAX_FILE: Final = 8 * 1024 * 1024
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE: Final = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@click.argument("what", metavar="URL|FILE")
@click.option("--listing", "listing_file", type=_FILE, help="What its publisher says of it, TOML or JSON, with a URL.")
@click.option("--token-file", type=_FILE, help="The token of a test account: lists are read, read-only tools called.")
@click.option("--call-tools", is_flag=True, help="Call read-only tools of a server that wants no sign-in.")
@click.option("--seen", type=_FILE, help="A tools/list result as people's sessions see it (JSON), to compare with.")
@click.option("--ca", "ca_file", type=_FILE, metavar="FILE", help="Trust these certificates (PEM) as well.")
@click.option(
    "--allow-network", multiple=True, metavar="CIDR", help="A private network that may be visited; repeat for more."
)
@click.option("--html", "html_file", type=_NEW_FILE, help="Write the report as a page.")
@click.option("--sarif", "sarif_file", type=_NEW_FILE, help="Write the findings as SARIF, for continuous integration.")
@click.option("--strict", is_flag=True, help="Fail on what is held for a reviewer, too.")
@as_json
@click.pass_context
def review(
    ctx: click.Context,
    what: str,
    listing_file: Path | None,
    token_file: Path | None,
    call_tools: bool,
    seen: Path | None,
    ca_file: Path | None,
    allow_network: tuple[str, ...],
    html_file: Path | None,
    sarif_file: Path | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Tell what keeps a connector out of the directory.

    Visits the MCP endpoint at URL, or the one that a listing (FILE) names, and holds what is seen against each clause
    of the directory policy (docs/policy.md). Ends with 0 when nothing blocks, also when findings are held for a
    reviewer, and with 1 when something blocks. Writes nothing there; tools are called for a test account only.
    """
    from valetkey.cli.review_report import lines
    from valetkey.review.model import Severity
    from valetkey.review.report import as_json as report_as_json
    from valetkey.review.report import as_sarif

    url, listing = _listing(what, listing_file)
    policy = _policy(allow_network)
    asked = _asked(
        listing, policy, url, calls_tools=call_tools or token_file is not None, seen=seen,
        allowances=tuple(_allowances(allow_network, ca_file, token_file, call_tools)),
    )  # fmt: skip
    report = asyncio.run(_visit(url, policy, ca_file, token_file, asked))
    if html_file is not None:
        from valetkey.web.review_report import report_page

        html_file.write_text(report_page(report))
    if sarif_file is not None:
        from valetkey import __version__

        sarif_file.write_text(json.dumps(as_sarif(report, version=__version__), indent=2))
    if as_json:
        print_json(report_as_json(report))
    else:
        for line in lines(report):
            print(line)
    ctx.exit(1 if report.blocks or (strict and report.count(Severity.HOLD)) else 0)


async def _visit(
    url: str, policy: AddressPolicy, ca_file: Path | None, token_file: Path | None, asked: Asked
) -> Report:
    from valetkey.kernel.clock import SystemClock
    from valetkey.net.certificate import CertificateClient
    from valetkey.net.dialer import Dialer
    from valetkey.net.model import Url
    from valetkey.net.outbound import outbound_by
    from valetkey.net.url import parse_url
    from valetkey.review.crawl import crawl
    from valetkey.review.judge import judge
    from valetkey.review.visit import TestAccount, Visit

    def parse(text: str) -> Url:
        return parse_url(text, private_names=policy.has_networks)

    clock = SystemClock()
    endpoint = parse(url)
    account = TestAccount(_token(token_file), origin=endpoint.origin) if token_file is not None else None
    dialer = Dialer(policy, clock=clock, ca_file=ca_file)
    out = outbound_by(dialer, clock)
    try:
        visit = Visit(
            url=endpoint,
            out=out,
            certificates=CertificateClient(dialer),
            clock=clock,
            parse=parse,
            say=note,
            account=account,
        )
        return judge(await crawl(visit, asked))
    finally:
        await out.close()


def _listing(what: str, listing_file: Path | None) -> tuple[str, Listing | None]:
    """The endpoint's URL, and the listing if there is one."""
    from valetkey.review.listing import read_listing

    if "://" not in what and listing_file is not None:
        raise click.UsageError("Give a URL with --listing, or the listing alone.")
    path = listing_file if "://" in what else Path(what)
    if path is None:
        return what, None
    if not path.is_file():
        raise click.UsageError(f"{what} is neither a URL nor a file.")
    listing = read_listing(_read(path), is_json=path.suffix == ".json")
    if "://" in what:
        return what, listing
    if not listing.url:
        raise click.UsageError("The listing names no url; give it, and the file with --listing.")
    return listing.url, listing


def _policy(networks: tuple[str, ...]) -> AddressPolicy:
    from ipaddress import ip_network

    from valetkey.net.address_policy import AddressPolicy

    try:
        return AddressPolicy(tuple(ip_network(network) for network in networks))
    except ValueError as error:
        raise click.UsageError(f"--allow-network: {error}; write it like 127.0.0.1/32.") from error


def _asked(
    listing: Listing | None, policy: AddressPolicy, url: str, *, calls_tools: bool, seen: Path | None,
    allowances: tuple[str, ...],
) -> Asked:  # fmt: skip
    from valetkey.review.crawl import Asked
    from valetkey.review.records import Records

    return Asked(
        listing=listing,
        calls_tools=calls_tools,
        allowances=allowances,
        # Plain http is dialed nowhere but in networks that were opened.
        on_private_network=policy.has_networks and url.startswith("http://"),
        records=Records(seen=_seen(seen)) if seen is not None else Records(),
    )


def _allowances(
    networks: tuple[str, ...], ca_file: Path | None, token_file: Path | None, call_tools: bool
) -> Iterator[str]:
    """What was permitted that a hub, or a stranger, would not be: the report says so."""
    if networks:
        yield f"Private addresses and plain http were allowed in {', '.join(networks)} (--allow-network)."
    if ca_file is not None:
        yield "Certificates given with --ca were trusted besides the system's."
    if token_file is not None:
        yield "A test account's token was used (--token-file), and read-only tools were called."
    elif call_tools:
        yield "Read-only tools were called without a sign-in (--call-tools)."


def _seen(path: Path) -> tuple[SeenTool, ...]:
    import msgspec

    from valetkey.kernel.errors import BadInput
    from valetkey.protocol.messages import tool_page
    from valetkey.protocol.scan import scan
    from valetkey.review.conversation import seen_tools

    body = _read(path)
    scan(body)
    try:
        message = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise BadInput("--seen is no result of tools/list.", field="seen") from error
    page = tool_page(bytes(message.get("result", body)))
    if page is None:
        raise BadInput("--seen is no result of tools/list.", field="seen")
    return seen_tools(tuple(bytes(tool) for tool in page.tools))[0]


def _token(path: Path) -> Secret:
    from valetkey.kernel.errors import BadInput
    from valetkey.kernel.secret import Secret

    text = _read(path).strip()
    if not text or len(text) > 16_384 or any(not 0x21 <= byte <= 0x7E for byte in text):
        raise BadInput("The token file does not hold one token, in visible ASCII.", field="token-file")
    return Secret(text)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise click.UsageError(f"{path.name} is larger than {MAX_FILE} bytes.")
    return content
