"""Members: enroll, look up, search, read, change, tag, merge, export, erase; codes that prove they are there."""

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, idempotency, ledger_answers, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.entries import BookedAnswer
from shared.api.schemas.exports import WholeExport, export_answer
from shared.api.schemas.members import (
    CodeAnswer,
    ErasedAnswer,
    ErasureAwaited,
    MemberAnswer,
    MemberFound,
    MemberPage,
    TraitsAnswer,
    awaited_answer,
    erased_answer,
    member_answer,
    traits_answer,
)
from shared.api.schemas.reviews import ReviewAnswer
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT
from shared.domain.fields import Record, Reference
from shared.domain.members.members import Change, Enrollment
from shared.services import (
    address_changes,
    enrolment,
    erasure,
    member_codes,
    member_search,
    merges,
    personal_data,
    tags,
)
from shared.services.member_search import LookUp, Search
from shared.services.tags import Tagging

app = resolver.resolver()


class Merge(Record):
    """Which member to take in."""

    from_member_id: Reference


class Confirmation(Record):
    """The code that was sent to a new address."""

    code: Reference


@app.post(
    "/v1/members",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({201: MemberAnswer, 200: MemberAnswer}, 400, 409),
    summary="Enroll a member",
    tags=["Members"],
)
def enroll_member(request: Annotated[Enrollment, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    enrolled = enrolment.enroll_member(request, key=name, caller=caller, now=now)
    status = HTTPStatus.OK if enrolled.replayed else HTTPStatus.CREATED
    return json_answer(member_answer(enrolled.member), status, replayed=enrolled.replayed)


@app.post(
    "/v1/members/lookup",
    security=routes.open_to(STOREFRONT, OPERATOR, PARTNER),
    responses=routes.json_responses({200: MemberAnswer | MemberFound}, 404),
    summary="Find a member by one identifier or a code; a partner learns the member's id alone",
    tags=["Members"],
)
def look_up_member(request: Annotated[LookUp, Body()]) -> Answer:
    found = member_search.look_up(request, caller=auth.caller(app), now=clock.now())
    return json_answer(member_answer(found.member) if found.member else MemberFound(member_id=found.member_id))


@app.post(
    "/v1/members/search",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({200: MemberPage}),
    summary="Find members by words of their name, in any order and case",
    tags=["Members"],
)
def search_members(
    request: Annotated[Search, Body()],
    limit: paging.PageLimit = paging.PAGE_DEFAULT,
    cursor: paging.PageCursor = None,
) -> Answer:
    after = paging.decode_cursor(cursor, str)[0] if cursor else None
    page = member_search.search(request, limit, after, caller=auth.caller(app), now=clock.now())
    following = paging.encode_cursor(page.next_after) if page.next_after else None
    return json_answer(MemberPage(items=tuple(map(member_answer, page.members)), next_cursor=following))


@app.get(
    "/v1/members/<member_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: MemberAnswer}, 404),
    summary="Profile, identifiers, consent",
    tags=["Members"],
)
def read_member(member_id: str) -> Answer:
    profile = address_changes.read_member(member_id, caller=auth.caller(app), now=clock.now())
    return json_answer(member_answer(profile.member, profile.waiting))


@app.patch(
    "/v1/members/<member_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: MemberAnswer}, 404, 409),
    summary="Change profile, identifiers, consent, message preferences; a member's new address waits for its code",
    tags=["Members"],
)
def change_member(member_id: str, change: Annotated[Change, Body()]) -> Answer:
    profile = address_changes.change_member(member_id, change, caller=auth.caller(app), now=clock.now())
    return json_answer(member_answer(profile.member, profile.waiting))


@app.post(
    "/v1/members/<member_id>/confirmations",
    security=routes.open_to(MEMBER),
    responses=routes.json_responses({200: MemberAnswer}, 404, 409),
    summary="Confirm a new e-mail address or phone number by the code that was sent there",
    tags=["Members"],
)
def confirm_address(member_id: str, request: Annotated[Confirmation, Body()]) -> Answer:
    profile = address_changes.confirm(member_id, request.code, caller=auth.caller(app), now=clock.now())
    return json_answer(member_answer(profile.member, profile.waiting))


@app.post(
    "/v1/members/<member_id>/codes",
    security=routes.open_to(MEMBER, STOREFRONT),
    responses=routes.json_responses({201: CodeAnswer}, 404, 409),
    summary="A code, to be shown at a till, that names the member for five minutes",
    tags=["Members"],
)
def issue_code(member_id: str) -> Answer:
    issued = member_codes.issue(member_id, caller=auth.caller(app), now=clock.now())
    return json_answer(CodeAnswer(**issued._asdict()), HTTPStatus.CREATED)


@app.post(
    "/v1/members/<member_id>/tags",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({200: TraitsAnswer}, 400, 404, 409),
    summary="Add and remove the shop's own tags, which segments look at",
    tags=["Members"],
)
def tag_member(member_id: str, request: Annotated[Tagging, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    tagged = tags.change_tags(member_id, request, key=name, caller=caller, now=now)
    return json_answer(traits_answer(tagged.member_id, tagged.traits), replayed=tagged.replayed)


@app.delete(
    "/v1/members/<member_id>",
    security=routes.open_to(OPERATOR, MEMBER),
    responses=routes.json_responses({200: ErasedAnswer, 202: ErasureAwaited}, 404, 409),
    summary="Erase personal data; the pseudonymous ledger stays. An operator decides on whoever is frozen or owes",
    tags=["Members"],
)
def erase_member(member_id: str) -> Answer:
    erased = erasure.erase_member(member_id, caller=auth.caller(app), now=clock.now())
    if isinstance(erased, erasure.Awaited):
        return json_answer(awaited_answer(erased), HTTPStatus.ACCEPTED, replayed=erased.replayed)
    return json_answer(erased_answer(erased), replayed=erased.replayed)


@app.get(
    "/v1/members/<member_id>/export",
    security=routes.open_to(MEMBER, OPERATOR),
    responses=routes.json_responses({200: WholeExport}, 404),
    summary="Everything held about the member",
    tags=["Members"],
)
def export_member(member_id: str) -> Answer:
    caller, now = auth.caller(app), clock.now()
    return json_answer(export_answer(personal_data.export_member(member_id, caller=caller, now=now), caller, now))


@app.post(
    "/v1/members/<member_id>/merge",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({200: BookedAnswer, 202: ReviewAnswer}, 404, 409),
    summary="Take another member in: points with their expiry dates, identifiers, history; above the program's limit "
    "for one operator a second one approves",
    tags=["Members"],
)
def merge_members(member_id: str, request: Annotated[Merge, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    done = merges.merge_members(member_id, request.from_member_id, caller=caller, now=now)
    return ledger_answers.booked_or_asked(done, caller, now, HTTPStatus.OK)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
