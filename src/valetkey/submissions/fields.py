"""What a publisher says: limits of each field when it is written (DIR-05), completeness when submitted (DIR-04).

A limit counts code points, which is never less than what people see as characters: an emoji or a letter with several
marks can count as more than one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from valetkey.directory.custom import read_name
from valetkey.directory.links import read_target
from valetkey.directory.listings import Listing, ParseUrl, Reviewed, ReviewedTool, Source, problems_of
from valetkey.kernel.errors import BadInput, printable
from valetkey.review.clauses import VERSION
from valetkey.review.model import Listing as Claims
from valetkey.review.model import Report
from valetkey.submissions.model import Changes, Fields, Run, Step, Submission

LIMITS: Final[Mapping[str, int]] = {
    "name": 100, "publisher": 100, "about": 200, "description": 2000, "url": 2048, "vertical": 40, "docs": 2048,
    "privacy_policy": 2048, "terms": 2048, "support": 2048, "security_contact": 2048, "revocation": 2048,
    "test_instructions": 2000, "icon": 64,
}  # fmt: skip
MOST: Final[Mapping[str, int]] = {
    "categories": 5,
    "example_prompts": 20,
    "hosts": 50,
    "justified": 100,
    "links": 20,
    "screenshots": 5,
}
FEWEST_PROMPTS: Final = 3
FEWEST_SCREENSHOTS, MOST_SCREENSHOTS = 3, MOST["screenshots"]
_CALLED: Final[Mapping[str, str]] = {
    "api": "whose API it uses", "collected": "what is collected", "purpose": "what for", "recipients": "who gets it",
    "retention": "how long it is kept", "regions": "where it is kept", "contact": "whom to ask",
    "health_data": "health data", "ads": "advertising",
}  # fmt: skip
_LONGEST_ITEM: Final = 500
_LONGEST: Final = 60_000


def changed(fields: Fields, changes: Changes) -> Fields:
    """`fields` with what is said anew. Raises `BadInput` that names the field and its limit."""
    there = msgspec.to_builtins(fields)
    for name in changes:
        if name not in there:
            raise BadInput(
                f"A listing has no field {printable(name, limit=60)}.",
                field=printable(name, limit=60),
                hint=f"It has {', '.join(there)}.",
            )
    try:
        new = msgspec.convert(there | dict(changes), Fields)
    except msgspec.ValidationError as error:
        path = str(error).rpartition("`$.")[2].strip("`")
        field = path.partition(".")[0].partition("[")[0] if path != str(error) else "fields"
        raise BadInput(printable(error, limit=300), field=field) from error
    for name, most in LIMITS.items():
        _demand_length(getattr(new, name), most, field=name)
    for name in ("name", "publisher"):
        if getattr(new, name):
            read_name(getattr(new, name), field=name)
    for name, many in MOST.items():
        value: Collection[str] = getattr(new, name)
        if len(value) > many:
            raise BadInput(f"{name} may have at most {many} entries, and has {len(value)}.", field=name)
        for item in value.items() if isinstance(value, dict) else value:
            for text in item if isinstance(item, tuple) else (item,):
                _demand_length(text, _LONGEST_ITEM, field=name)
    try:
        size = len(msgspec.json.encode(new))
    except UnicodeEncodeError as error:  # JSON can name half of a surrogate pair
        raise BadInput("A text has half a character in it.", field="fields") from error
    if size > _LONGEST:
        raise BadInput(f"All fields together may have {_LONGEST} bytes.", field="fields")
    return new


def _demand_length(text: str, most: int, *, field: str) -> None:
    if len(text) > most:
        plain = text.isascii()
        raise BadInput(
            f"{field} may have at most {most} characters, and has {len(text)}.", field=field,
            hint="" if plain else "An emoji, or a letter with marks, can count as several.",
        )  # fmt: skip


def hash_of(fields: Fields) -> str:
    """What a report is bound to: these very fields."""
    return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()


def steps(
    one: Submission, *, not_agreed: Collection[str], looked_at: str, unheard: bool, parse_url: ParseUrl
) -> tuple[Step, ...]:
    """The steps, each with what it still needs. `not_agreed` are texts of the version in force; `looked_at` says why
    there is no report on these very fields, or is empty; `unheard` says that a letter to the contact was not answered.
    """
    wanted: Mapping[str, Callable[[], Iterator[str]]] = {
        "connection": lambda: _needs(one.fields, "url"),
        "tools": lambda: iter([looked_at] if looked_at else []),
        "listing": lambda: _listing(one, parse_url),
        "use cases": lambda: _prompts(one.fields),
        "company": lambda: _company(one.fields, unheard),
        "authentication": lambda: _account(one),
        "data handling": lambda: _data(one.fields),
        "domain": lambda: iter([] if one.proved_at else ["control of its domain is not proved"]),
        "acknowledgments": lambda: iter([f"not agreed to: {', '.join(not_agreed)}"] if not_agreed else []),
    }
    return tuple(Step(name, tuple(needs())) for name, needs in wanted.items())


def _needs(fields: Fields, *names: str) -> Iterator[str]:
    yield from (f"{name} is not said" for name in names if not getattr(fields, name))


def _listing(one: Submission, parse_url: ParseUrl) -> Iterator[str]:
    yield from _needs(one.fields, "name", "about", "description", "categories", "docs", "icon")
    if 0 < len(one.fields.screenshots) < FEWEST_SCREENSHOTS:
        yield f"there are {FEWEST_SCREENSHOTS} to {MOST_SCREENSHOTS} screenshots, or none"
    yield from _links(one, parse_url)
    if all((one.fields.name, one.fields.about, one.fields.categories, one.fields.url)):
        yield from problems_of(as_listing(one, at=one.created_at), parse_url)


def _links(one: Submission, parse_url: ParseUrl) -> Iterator[str]:
    """What is written before it is said where the connector is, is held against it all the same."""
    try:
        host = parse_url(one.fields.url).host
        for text in one.fields.links:
            read_target(text, host=host)
    except BadInput as error:
        if one.fields.links:
            yield error.message.rstrip(".")


def _company(fields: Fields, unheard: bool) -> Iterator[str]:
    yield from _needs(fields, "publisher", "support", "security_contact")
    if unheard:
        yield "the security contact is not confirmed"


def _prompts(fields: Fields) -> Iterator[str]:
    if len(fields.example_prompts) < FEWEST_PROMPTS:
        yield f"there must be {FEWEST_PROMPTS} example prompts or more"


def _account(one: Submission) -> Iterator[str]:
    if one.fields.auth.kind == "none":
        return
    if not one.has_test_account:
        yield "there is no test account"
    yield from _needs(one.fields, "test_instructions")


def _data(fields: Fields) -> Iterator[str]:
    yield from _needs(fields, "privacy_policy")
    said = msgspec.to_builtins(fields.data)
    if unsaid := [_CALLED[name] for name, value in said.items() if value in ("", "not known")]:
        yield f"what becomes of data is not said: {', '.join(unsaid)}"


def as_listing(
    one: Submission, *, at: datetime, verified: bool = False, tools: tuple[ReviewedTool, ...] = ()
) -> Listing:
    """The listing that comes of it. Whether it is *verified* is the desk's word (DIR-02); `tools` are those that it

    saw, with their classes.
    """
    fields = one.fields
    return Listing(
        slug=one.slug,
        name=fields.name,
        publisher=fields.publisher or fields.name,
        about=fields.about,
        description=fields.description,
        icon=fields.icon,
        screenshots=fields.screenshots,
        links=fields.links,
        url=fields.url,
        categories=fields.categories,
        vertical=fields.vertical,
        docs=fields.docs,
        privacy_policy=fields.privacy_policy,
        terms=fields.terms,
        support=fields.support,
        revocation=fields.revocation,
        auth=fields.auth,
        data=fields.data,
        tools=tools,
        review=Reviewed(on=at.date(), policy_version=VERSION) if verified else None,
        source=Source(
            url=fields.docs or fields.url, date=(one.proved_at or at).date(), proved=one.proved_at is not None
        ),
    )


def reviewed_tools(run: Run | None, fields: Fields) -> tuple[ReviewedTool, ...]:
    """The tools as the report on these very fields has them; none if there is no such report."""
    if run is None or not run.report or run.fields_hash != hash_of(fields):
        return ()
    return msgspec.json.decode(run.report, type=Report).reviewed


def as_claims(one: Submission) -> Claims:
    """The same for the linter's rules."""
    fields = one.fields
    return Claims(
        name=fields.name,
        url=fields.url,
        one_liner=fields.about,
        about=fields.description,
        publisher=fields.publisher,
        categories=fields.categories,
        verticals=(fields.vertical,) if fields.vertical else (),
        regions=(fields.data.regions,) if fields.data.regions else (),
        privacy_policy=fields.privacy_policy,
        docs=fields.docs,
        support=fields.support,
        example_prompts=fields.example_prompts,
        hosts=fields.hosts,
        screenshots=fields.screenshots,
        justified=fields.justified,
        # Not `proof`: control of the domain is looked at by `proofs`, in both places it can stand in.
    )
