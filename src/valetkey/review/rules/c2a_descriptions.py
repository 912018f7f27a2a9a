"""2.A Narrow, plain descriptions: long enough to tell, short enough to use, and each tool unlike the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from valetkey.review.model import Crawl, Finding, Rule, SeenTool, Severity, Stage, UnrunRule
from valetkey.review.texts import folded, named, word_set
from valetkey.review.words import parameters, words_of

_SHORTEST, _LONGEST = 20, 1024
_ALIKE: Final = 0.9
_COMPARED: Final = 200  # pairs grow with the square; whoever has more tools is held by L-502 anyway
_CATCH_ALL: Final = re.compile(
    r"\b(?:use (?:this )?(?:for|with) (?:any|every|all|anything|everything)|for any (?:question|task|request|purpose)|"
    r"(?:any|every) (?:question|task|request)s?\b|always use this|does (?:anything|everything)|whenever possible)\b"
)
_WORDS: Final = re.compile(r"\w+")

_LANGUAGES: Final = word_set(
    "sql graphql gql jql cql soql sosl nrql kql promql logql cypher sparql odata xpath lucene esql aql wiql gaql hql"
)
_OF_ONE: Final = word_set("jql soql sosl nrql gaql wiql promql logql")
"""Languages of one product, which name it."""
_RUNNERS: Final = word_set("run execute exec raw eval invoke perform")
_QUERIES: Final = word_set("query queries statement statements expression request")
_CALLERS: Final = word_set("call request invoke execute run raw send make fetch")
_INTERFACES: Final = word_set("api endpoint rest http")
_SYSTEMS: Final = word_set(
    "postgresql postgres mysql mariadb sqlite bigquery snowflake redshift clickhouse duckdb mongodb elasticsearch "
    "opensearch cassandra neo4j dynamodb prometheus loki influxdb databricks athena trino spanner cockroachdb redis "
    "salesforce jira confluence github gitlab linear shopify stripe notion hubspot airtable wikidata supabase splunk "
    "datadog grafana"
)
_AN_API: Final = re.compile(
    r"(?<![\w.+-])([A-Z][\w.+-]{0,80})(?:'s)? "
    r"(?:(?:REST|GraphQL|Admin|Data|HTTP|SQL|Query|Search|[vV]\d[\w.]{0,20}) ){0,3}"
    r"(?:APIs?|database|warehouse|cluster|dataset)\b"
)
_ANY: Final = word_set(
    "the a an any this that our your its their each some rest http https graphql sql json api web external remote raw "
    "public private internal upstream target mcp runs executes calls queries sends query call run execute server"
)


def _descriptions(crawl: Crawl) -> Iterator[Finding]:
    for tool in crawl.tools:
        where, text = f"tool {named(tool.name)}: description", folded(tool.description)
        if len(text) < _SHORTEST or text == folded(tool.name):
            yield _warn(
                where, "It says too little to choose the tool by.", "Say what it does, and when to use it.", text
            )
        elif len(tool.description) > _LONGEST:
            yield _warn(
                where, f"It has more than {_LONGEST} characters.", "Say it shorter; move details to parameters."
            )
        if match := _CATCH_ALL.search(text):
            yield _warn(where, "It claims the tool for everything.", "Name the one thing it is for.", match[0])
    words = [(tool, frozenset(_WORDS.findall(folded(tool.description)))) for tool in crawl.tools[:_COMPARED]]
    for (one, its), (other, theirs) in combinations(words, 2):
        if len(its) >= 4 and len(its & theirs) >= _ALIKE * len(its | theirs):
            yield _warn(
                f"tools {named(one.name)} and {named(other.name)}",
                "Their descriptions say the same.",
                "Say how they differ, or make them one.",
            )


def _queries(crawl: Crawl) -> Iterator[Finding]:
    own = _own_names(crawl)
    for tool in crawl.tools:
        if not (taken := _free_query(tool)) or _names_target(tool, own):
            continue
        yield Finding(
            Severity.HOLD,
            f"tool {named(tool.name)}",
            "It takes a query or request as it comes, and does not name the API that this is sent to.",
            "Name the service, the API or the database in its description.",
            taken,
        )


def _free_query(tool: SeenTool) -> str:
    """The parameter by which a query in a language, or any request, goes in; empty if there is none."""
    called = set(words_of(tool.name))
    free = [(one.name, set(words_of(one.name))) for one in parameters(tool) if one.is_text]
    for name, words in free:
        runs = called & _RUNNERS and (words & _QUERIES or called & _QUERIES)
        if words & _LANGUAGES or called & _LANGUAGES or runs or (called & _CALLERS and called & _INTERFACES):
            return name
    return ""


def _names_target(tool: SeenTool, own: frozenset[str]) -> bool:
    texts = [tool.title, tool.description, *(one.description for one in parameters(tool))]
    plain = set(_WORDS.findall(folded(" ".join(texts))))
    languages = set(words_of(tool.name)) | {word for one in parameters(tool) for word in words_of(one.name)}
    if plain & (_SYSTEMS | _OF_ONE | own) or languages & (_OF_ONE | _SYSTEMS | own):
        return True
    if any("https://" in text for text in texts):
        return True
    return any(match[1].casefold() not in _ANY for text in texts for match in _AN_API.finditer(text))


def _own_names(crawl: Crawl) -> frozenset[str]:
    """What the connector is called: of a word that is its own, no more is asked."""
    info = crawl.lists.server.get("serverInfo") if crawl.lists is not None else None
    said = [info.get(member) for member in ("name", "title")] if isinstance(info, dict) else []
    said += [crawl.listing.name, crawl.listing.publisher] if crawl.listing is not None else []
    words = {word for name in said if isinstance(name, str) for word in _WORDS.findall(folded(name))}
    return frozenset(word for word in words if len(word) > 3 and word not in _ANY)


def _warn(where: str, says: str, do: str, quote: str = "") -> Finding:
    return Finding(Severity.WARN, where, says, do, quote)


RULES = (
    Rule("L-201", "2.A", "Descriptions are narrow and plain", Stage.LISTS, _descriptions),
    UnrunRule("L-202", "2.A", "A model picks the right tool", "it needs a model, and none is asked"),
    Rule("L-210", "2.A", "Free queries name what they are sent to", Stage.LISTS, _queries),
)
