"""Join, look up, change, merge, erase."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import model_validator

from shared import clock, dynamo, http, keys, people, store
from shared.answers import (
    BookedAnswer,
    ExportAnswer,
    MemberAnswer,
    account_answer,
    booked_answer,
    entry_answer,
    member_answer,
)
from shared.domain import members
from shared.domain.account import Account, Entry
from shared.domain.enrolling import enroll
from shared.domain.errors import (
    Fault,
    IdempotencyMismatchError,
    InvalidRequestError,
    MemberNotFoundError,
    TryAgainError,
)
from shared.domain.fields import Record, Reference
from shared.domain.members import IDENTIFIER_KINDS, Change, Enrollment, Identifiers
from shared.domain.moving import erase, merge
from shared.domain.program import Program
from shared.dynamo import CancelledError, Item

REFERRAL_CODE_ATTEMPTS = 3

app = http.resolver()


class Lookup(Identifiers):
    """Exactly one identifier."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Lookup":
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError(f"give exactly one of {', '.join(IDENTIFIER_KINDS)}")
        return self


class Merge(Record):
    """Which member to take in."""

    from_member_id: Reference


@app.post(
    "/v1/members",
    security=http.allow(http.STOREFRONT, http.OPERATOR),
    responses=http.answers({201: MemberAnswer, 200: MemberAnswer}, 400, 409),
    summary="Enroll a member",
    tags=["Members"],
)
def enroll_member(request: Annotated[Enrollment, Body()], key: http.IdempotencyKey = None) -> http.Answer:
    caller, now = http.caller(app), clock.now()
    program = store.load_program()
    member_id = people.new_member_id(f"{caller.subject}|{http.required_key(key)}")
    mark = people.keyed_hash(f"enroll:{http.fingerprint(request)}")[:32]
    entry = enroll(member_id, program, now=now, actor=caller.actor, fingerprint=mark)
    for _ in range(REFERRAL_CODE_ATTEMPTS):
        code = members.new_referral_code(request.name)
        member = members.joined(request, member_id=member_id, referral_code=code, country=program.country, now=now)
        writes = people.writes(None, member)
        try:
            store.enroll(entry, also=writes)
        except CancelledError as cancelled:
            standing = store.load_entry(keys.entry_key(entry))
            if standing is not None:
                return _enrolled_before(standing, mark)
            refusal = people.identity_taken(cancelled, writes)
            if not isinstance(refusal, TryAgainError):
                raise refusal from cancelled
        else:
            return http.answer(member_answer(member), HTTPStatus.CREATED)
    raise TryAgainError("no free referral code was found; the same request may be sent again")


def _enrolled_before(standing: Entry, mark: str) -> http.Answer:
    if standing.fingerprint != mark:
        raise IdempotencyMismatchError("the key was used before to enroll another member; use a new key")
    member = people.load_member(standing.member_id).member
    return http.answer(member_answer(member), HTTPStatus.OK, replayed=True)


@app.post(
    "/v1/members/lookup",
    security=http.allow(http.STOREFRONT, http.OPERATOR),
    responses=http.answers({200: MemberAnswer}, 404),
    summary="Find a member by one identifier",
    tags=["Members"],
)
def look_up_member(request: Annotated[Lookup, Body()]) -> http.Answer:
    [identity] = members.identities(request, store.load_program().country)
    member_id = people.find(identity)
    if member_id is None:
        raise MemberNotFoundError(f"no member has this {identity.kind}")
    return http.answer(member_answer(people.load_member(member_id).member))


@app.get(
    "/v1/members/<member_id>",
    security=http.allow(http.STOREFRONT, http.MEMBER, http.OPERATOR),
    responses=http.answers({200: MemberAnswer}, 404),
    summary="Profile, identifiers, consent",
    tags=["Members"],
)
def read_member(member_id: str) -> http.Answer:
    member_id = http.caller(app).reach(member_id)
    return http.answer(member_answer(people.load_member(member_id).member))


@app.patch(
    "/v1/members/<member_id>",
    security=http.allow(http.STOREFRONT, http.MEMBER, http.OPERATOR),
    responses=http.answers({200: MemberAnswer}, 404, 409),
    summary="Change profile, identifiers, consent, message preferences",
    tags=["Members"],
)
def change_member(member_id: str, change: Annotated[Change, Body()]) -> http.Answer:
    before = people.load_member(http.caller(app).reach(member_id))
    members.require_active(before.member)
    after = members.changed(before.member, change, store.load_program().country)
    if after != before.member:
        people.save(before, after)
    return http.answer(member_answer(after))


@app.delete(
    "/v1/members/<member_id>",
    security=http.allow(http.OPERATOR, http.MEMBER),
    responses=http.answers({200: MemberAnswer}, 404, 409),
    summary="Erase personal data; the pseudonymous ledger stays",
    tags=["Members"],
)
def erase_member(member_id: str) -> http.Answer:
    caller, now = http.caller(app), clock.now()
    before = people.load_member(caller.reach(member_id))

    def close(accounts: Sequence[Account], _: Sequence[Item | None], program: Program, now: datetime) -> list[Entry]:
        return erase(accounts[0], program, now=now, actor=caller.actor)

    outcome = store.operate(
        [before.member.member_id],
        close,
        key=keys.erase_key(before.member.member_id),
        fingerprint="",
        now=now,
        also=people.writes(before, members.erased(before.member)) if before.member.status == "active" else (),
    )
    return http.answer(member_answer(members.erased(before.member)), replayed=outcome.replayed)


@app.get(
    "/v1/members/<member_id>/export",
    security=http.allow(http.MEMBER, http.OPERATOR),
    responses=http.answers({200: ExportAnswer}, 404),
    summary="Everything held about the member",
    tags=["Members"],
)
def export_member(member_id: str) -> http.Answer:
    member_id = http.caller(app).reach(member_id)
    member = people.load_member(member_id).member
    account = store.load_account(member_id).account
    entries = [entry for one in (member_id, *account.merged_from) for entry in store.load_whole_history(one)]
    return http.answer(
        ExportAnswer(
            member=member_answer(member),
            also_known_as=tuple(identity.model_dump() for identity in member.also_known_as),
            referred_by_code=member.referred_by_code,
            account=account_answer(account, store.load_program(), clock.now()),
            entries=tuple(entry_answer(entry) for entry in entries),
        )
    )


@app.post(
    "/v1/members/<member_id>/merge",
    security=http.allow(http.STOREFRONT, http.OPERATOR),
    responses=http.answers({200: BookedAnswer}, 404, 409),
    summary="Take another member in: points with their expiry dates, identifiers, history",
    tags=["Members"],
)
def merge_members(member_id: str, request: Annotated[Merge, Body()]) -> http.Answer:
    caller, now = http.caller(app), clock.now()
    if member_id == request.from_member_id:
        raise InvalidRequestError(Fault("/from_member_id", "must be another member"))
    into, gone = people.load_member(caller.reach(member_id)), people.load_member(request.from_member_id)

    def unite(accounts: Sequence[Account], _: Sequence[Item | None], program: Program, now: datetime) -> list[Entry]:
        moved = merge(accounts[1], accounts[0], program, now=now, actor=caller.actor)
        return [moved.out, moved.into]

    outcome = store.operate(
        [into.member.member_id, gone.member.member_id],
        unite,
        key=keys.merge_key(gone.member.member_id, into.member.member_id),
        fingerprint="",
        now=now,
        also=_united_writes(gone, into),
    )
    return http.answer(
        booked_answer(outcome.entry, outcome.accounts[0], store.load_program(), now), replayed=outcome.replayed
    )


def _united_writes(gone: people.StoredMember, into: people.StoredMember) -> list[dynamo.Write]:
    if gone.member.status != "active" or into.member.status != "active":
        return []
    return people.moves(gone, into, *members.united(gone.member, into.member))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
