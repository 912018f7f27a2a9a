"""Creating a personal token. It is shown on the page that answers, and never again."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.identity.resources import API, MCP
from valetkey.identity.scopes import IN_WORDS
from valetkey.kernel.errors import BadInput, TooMany
from valetkey.web.accounts import endpoint_path, read_accounts
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_PATH = "/settings/tokens/new"
_DAY = 86400.0


async def show(visit: Visit) -> Response:
    return ask_again(visit, to=_PATH) or await _page(
        visit, {}, {"name": "", "audience": MCP, "days": "30", "scopes": ()}
    )


async def submit(visit: Visit) -> Response:
    if (detour := ask_again(visit, to=_PATH)) is not None:
        return detour
    name, audience, days = (visit.form.one(field, limit=300) for field in ("name", "audience", "days"))
    scopes = visit.form.many("scope")
    try:
        if not days.isdigit() or not 1 <= int(days) <= 90:
            raise BadInput("A token is good for 1 to 90 days.", field="days")
        wanted = scopes if audience == API else ("mcp",)
        token, info = await visit.services.tokens.create_personal(
            visit.person, name, audience, wanted, int(days) * _DAY
        )
    except (BadInput, TooMany) as error:
        field = error.field if isinstance(error, BadInput) else ""
        errors = {field: error.message, "hint": error.hint}
        return await _page(visit, errors, {"name": name, "audience": audience, "days": days, "scopes": scopes})
    # Revealed because this page is the one time that its owner sees it.
    text = token.reveal().decode()
    return visit.page(
        "shown_once.html",
        title="Your new token",
        lead=f"“{info.name}”, for {info.audience}.",
        text=text,
        example=_example(visit.public_url, audience, text),
        done="/settings",
    )


def _example(public_url: str, audience: str, token: str) -> str:
    if audience == API:
        return f'curl -H "Authorization: Bearer {token}" {public_url}{API}/connections'
    return (
        f"claude mcp add --transport http valetkey {public_url}{audience} \\\n"
        f'  --header "Authorization: Bearer {token}"'
    )


async def _page(visit: Visit, errors: Mapping[str, str], values: Mapping[str, object]) -> Response:
    accounts = await read_accounts(visit)
    audiences = [(MCP, f"{MCP} – everything that is connected")]
    audiences += [(path := endpoint_path(one), f"{path} – only {one.connector.name[:60]}") for one in accounts]
    profiles = await visit.services.profiles.list(visit.person.id)
    audiences += [(one.path, f"{one.path} – what your profile “{one.title}” names") for one in profiles]
    audiences.append((API, f"{API} – the programming interface"))
    return visit.page(
        "token_create.html", status=422 if errors else 200,
        errors=errors, values=values, audiences=audiences, scopes=tuple(IN_WORDS.items()),
    )  # fmt: skip
