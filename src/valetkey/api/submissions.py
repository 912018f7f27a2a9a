"""Submissions to the directory: a publisher writes, proves, agrees, reviews, submits and publishes."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of
from valetkey.api.paging import LARGEST, At, Listed, Page, by_age
from valetkey.api.submission_shapes import HealthShown, RunShown, SubmissionInFull, SubmissionShown, TextShown
from valetkey.identity.model import Person, Principal
from valetkey.kernel.errors import BadInput, NotFound
from valetkey.kernel.secret import Secret
from valetkey.submissions.drafts import Drafts
from valetkey.submissions.model import Submission
from valetkey.submissions.pictures import MOST_BYTES, Kind

router = APIRouter(prefix="/submissions", tags=["submissions"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_WRITE, operator=True))]


class NewSubmission(BaseModel):
    model_config = ConfigDict(extra="forbid")

    slug: str = Field(max_length=24, description="Part of addresses; it stays for ever.")
    fields: dict[str, Any] = Field(default_factory=dict)


class Edit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fields: dict[str, Any] = Field(description="What is said anew; the rest stays.")
    revision: int = Field(ge=0, le=LARGEST, description="The one that was seen.")


class Agree(BaseModel):
    model_config = ConfigDict(extra="forbid")

    texts: dict[str, str] = Field(max_length=20, description="Each text's name, and the hash of its words as shown.")


class Account(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: SecretStr = Field(max_length=16_384, description="Sealed; for reviews only, and never shown again.")


class Move(BaseModel):
    model_config = ConfigDict(extra="forbid")

    act: Literal["submit", "withdraw", "publish", "remove"]
    seen: str = Field(default="", max_length=64, description="To submit: the `version` that was seen.")


class Words(BaseModel):
    model_config = ConfigDict(extra="forbid")

    words: str = Field(min_length=1, max_length=1000)


class HandedIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    png: str = Field(max_length=4 * -(-MOST_BYTES // 3), description="The file, in base64.")
    revision: int = Field(ge=0, le=LARGEST, description="The one that was seen.")


class Code(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(default="", max_length=100, description="As the letter has it; empty where none can be sent.")


class UrlToReview(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2048)


@router.get("", operation_id="list_submissions")
async def list_submissions(_who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[SubmissionShown]:
    """The organization's, for who may add connectors there."""
    found = await rooms.submissions.drafts.list(whose)
    return at.page(found, by=by_age, newest_first=True, show=SubmissionShown.of)


@router.get("/terms", operation_id="show_terms")
async def show_terms(_who: Reader, rooms: Rooms) -> Listed[TextShown]:
    """What is agreed to before a submission, in the version in force."""
    terms = rooms.submissions.drafts.terms
    return Listed(
        items=[
            TextShown(text=name, version=terms.version, words=words, text_hash=terms.hash_of(name))
            for name, words in terms.texts.items()
        ]
    )


@router.post("/review", operation_id="review_url", status_code=202)
async def review_url(given: UrlToReview, _who: Writer, whose: Whose, rooms: Rooms) -> RunShown:
    """Begins a review of any address, as somebody unknown: what `valetkey review URL` does, here."""
    await rooms.submissions.drafts.list(whose)  # for those who may add connectors
    run = await rooms.submissions.reviews.of_url(given.url, organization_id=whose.organization_id, person_id=whose.id)
    return RunShown.of(run)


@router.get("/review/{run_id}", operation_id="show_review")
async def show_review(run_id: str, _who: Reader, whose: Whose, rooms: Rooms) -> RunShown:
    """How far it is, and its report when it has ended."""
    run = await rooms.submissions.reviews.status(run_id)
    if run is None or run.organization_id != whose.organization_id:
        raise NotFound("There is no such review.")
    return RunShown.of(run)


@router.post("", operation_id="begin_submission", status_code=201)
async def begin_submission(given: NewSubmission, who: Writer, whose: Whose, rooms: Rooms) -> SubmissionInFull:
    """A new draft. Its fields can be given now or later."""
    one = await rooms.submissions.drafts.begin(whose, given.slug, given.fields, by=actor_of(who))
    return await _in_full(rooms, whose, one.id)


@router.get("/{submission_id}", operation_id="show_submission")
async def show_submission(submission_id: str, _who: Reader, whose: Whose, rooms: Rooms) -> SubmissionInFull:
    """All of it: fields, steps with what they still need, the report."""
    return await _in_full(rooms, whose, submission_id)


@router.get("/{submission_id}/health", operation_id="show_health")
async def show_health(submission_id: str, _who: Reader, whose: Whose, rooms: Rooms) -> HealthShown:
    """How what is listed does, by the hub's record of calls; milliseconds for half, 95 and 99 percent of them."""
    whole = await rooms.submissions.drafts.get(whose, submission_id)
    return HealthShown.model_validate(asdict(await rooms.submissions.health_of(whole)))


@router.patch("/{submission_id}", operation_id="edit_submission")
async def edit_submission(submission_id: str, given: Edit, who: Writer, whose: Whose, rooms: Rooms) -> SubmissionInFull:
    """Says some fields anew. What was approved is a draft again; what is listed stays until the new is approved."""
    await rooms.submissions.drafts.edit(whose, submission_id, given.fields, revision=given.revision, by=actor_of(who))
    return await _in_full(rooms, whose, submission_id)


@router.post("/{submission_id}/agree", operation_id="agree")
async def agree(submission_id: str, given: Agree, who: Writer, whose: Whose, rooms: Rooms) -> SubmissionInFull:
    """Agrees to texts, in the very words that were shown."""
    await rooms.submissions.drafts.agree(whose, submission_id, given.texts, by=actor_of(who))
    return await _in_full(rooms, whose, submission_id)


@router.post("/{submission_id}/proof", operation_id="prove_domain")
async def prove_domain(submission_id: str, who: Writer, whose: Whose, rooms: Rooms) -> SubmissionInFull:
    """Looks now for the file that proves control of the domain."""
    await rooms.submissions.drafts.prove(whose, submission_id, by=actor_of(who))
    return await _in_full(rooms, whose, submission_id)


@router.post("/{submission_id}/account", operation_id="set_test_account")
async def set_test_account(
    submission_id: str, given: Account, who: Writer, whose: Whose, rooms: Rooms
) -> SubmissionInFull:
    """Seals a test account's token. Reviews of this submission use it; nobody is shown it."""
    token = Secret(given.token.get_secret_value())
    await rooms.submissions.drafts.set_account(whose, submission_id, token, by=actor_of(who))
    return await _in_full(rooms, whose, submission_id)


@router.get(
    "/pictures/{picture}",
    operation_id="show_picture",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "The picture, as it was made anew."}},
)
async def show_picture(picture: str, _who: Reader, rooms: Rooms) -> Response:
    """An icon or a screenshot, by the hash that a listing names."""
    return Response(await rooms.submissions.pictures.get(picture), media_type="image/png")


@router.post("/{submission_id}/pictures/{kind}", operation_id="hand_in_picture")
async def hand_in_picture(
    submission_id: str, kind: Kind, given: HandedIn, who: Writer, whose: Whose, rooms: Rooms
) -> SubmissionInFull:
    """The icon, or one more screenshot: a PNG, of which the pixels alone are kept. To drop one, edit the fields."""
    try:
        content = base64.b64decode(given.png, validate=True)
    except ValueError as error:
        raise BadInput("It is not base64.", field="png") from error
    await rooms.submissions.pictures.hand_in(
        whose, submission_id, kind, content, revision=given.revision, by=actor_of(who)
    )
    return await _in_full(rooms, whose, submission_id)


@router.post("/{submission_id}/contact/code", operation_id="mail_contact", status_code=204)
async def mail_contact(submission_id: str, who: Writer, whose: Whose, rooms: Rooms) -> None:
    """Sends a code to the security contact, if that is a mail address and whoever runs the hub named a mail server."""
    await rooms.submissions.contacts.send_code(whose, submission_id, by=actor_of(who))


@router.post("/{submission_id}/contact", operation_id="confirm_contact")
async def confirm_contact(submission_id: str, given: Code, who: Writer, whose: Whose, rooms: Rooms) -> SubmissionInFull:
    """Says that the security contact still answers: with the code, where one can be sent."""
    await rooms.submissions.contacts.confirm(whose, submission_id, given.code, by=actor_of(who))
    return await _in_full(rooms, whose, submission_id)


@router.post("/{submission_id}/review", operation_id="review_submission", status_code=202)
async def review_submission(submission_id: str, _who: Writer, whose: Whose, rooms: Rooms) -> RunShown:
    """Begins a review of the submission as it stands now, with its test account if there is one."""
    whole = await rooms.submissions.drafts.get(whose, submission_id)
    return RunShown.of(await rooms.submissions.reviews.of_submission(whole.submission, person_id=whose.id))


@router.post("/{submission_id}/move", operation_id="move_submission")
async def move_submission(submission_id: str, given: Move, who: Writer, whose: Whose, rooms: Rooms) -> SubmissionShown:
    """Hands it to the desk, takes it back, puts what was approved into the directory, or removes it for good."""
    drafts, by = rooms.submissions.drafts, actor_of(who)
    if given.act == "submit":
        return SubmissionShown.of(await drafts.submit(whose, submission_id, seen=given.seen, by=by))
    return SubmissionShown.of(await _MOVES[given.act](drafts)(whose, submission_id, by=by))


@router.post("/{submission_id}/answer", operation_id="answer_desk", status_code=204)
async def answer_desk(submission_id: str, given: Words, who: Writer, whose: Whose, rooms: Rooms) -> None:
    """Answers a question of the desk; it stands in the submission's history."""
    await rooms.submissions.drafts.answer(whose, submission_id, given.words, by=actor_of(who))


_Moves = Callable[..., Awaitable[Submission]]
_MOVES: Final[Mapping[str, Callable[[Drafts], _Moves]]] = {
    "withdraw": lambda drafts: drafts.withdraw,
    "publish": lambda drafts: drafts.publish,
    "remove": lambda drafts: drafts.remove,
}


async def _in_full(rooms: Rooms, whose: Person, submission_id: str) -> SubmissionInFull:
    whole = await rooms.submissions.drafts.get(whose, submission_id)
    run = rooms.submissions.reviews.as_of_now(whole.run) if whole.run is not None else None
    return SubmissionInFull.of_whole(whole, run)
