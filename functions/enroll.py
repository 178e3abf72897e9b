"""Join, look up, change, merge, erase."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import Field, model_validator

from shared import clock, request_ids, runtime
from shared.api import auth, guess_limits, idempotency, ledger_answers, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.accounts import account_answer
from shared.api.schemas.credit import CreditAnswer, credit_answer
from shared.api.schemas.entries import BookedAnswer, EntryAnswer, entry_answer
from shared.api.schemas.members import (
    ExportAnswer,
    MemberAnswer,
    OneIdentifier,
    TraitsAnswer,
    member_answer,
    traits_answer,
)
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT, Caller
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.enrolment import enroll
from shared.domain.earning.referrals import on_joining
from shared.domain.entry import Entry
from shared.domain.errors import (
    Fault,
    ForbiddenError,
    IdempotencyMismatchError,
    IdentifierTakenError,
    InvalidRequestError,
    LoyaltyError,
    MemberNotFoundError,
    NothingChangesError,
    TryAgainError,
)
from shared.domain.facets import Traits
from shared.domain.fields import Record, Reference, Text
from shared.domain.ledger import book
from shared.domain.lifecycle.closing import merge_whole
from shared.domain.members import members
from shared.domain.members.members import Change, Enrollment
from shared.domain.points.eligibility import require_age
from shared.domain.points.segments import TAGS_MAX, change_traits, first_traits, retagged
from shared.domain.program.program import Program
from shared.domain.program.segments import Tag
from shared.domain.subaccounts import wallet_of
from shared.services import enrolment, erasure, partner_access, personal_data, profiles
from shared.tables import accounts as accounts_table
from shared.tables import audit, client, gift_messages, keys, ledger, member_search, operation, programs, referrals
from shared.tables import members as people
from shared.tables.client import CancelledError
from shared.tables.operation import Decision, Situation

REFERRAL_CODE_ATTEMPTS = 3
Tags = Annotated[tuple[Tag, ...], Field(max_length=TAGS_MAX)]

app = resolver.resolver()


class Tagging(Record):
    """Tags to give a member, and then those to take away."""

    add: Tags = ()
    remove: Tags = ()


class Search(Record):
    """Words of a name."""

    name: Text

    @model_validator(mode="after")
    def _says_something(self) -> "Search":
        if not member_search.words_of(self.name):
            raise ValueError("give at least one word of a name")
        return self


class MemberPage(Record):
    """A page of members. It may hold fewer than asked for, even none, while there are more."""

    items: tuple[MemberAnswer, ...]
    next_cursor: str | None


class WholeExport(ExportAnswer):
    """What is held beside the member's own account, store credit first; `held` has all records as they are kept."""

    credit: CreditAnswer | None
    credit_entries: tuple[EntryAnswer, ...]
    gift_messages: dict[str, str]
    held: dict[str, Any]


class MemberFound(Record):
    """That there is such a member."""

    member_id: str


class Merge(Record):
    """Which member to take in."""

    from_member_id: Reference


@app.post(
    "/v1/members",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({201: MemberAnswer, 200: MemberAnswer}, 400, 409),
    summary="Enroll a member",
    tags=["Members"],
)
def enroll_member(request: Annotated[Enrollment, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now = auth.caller(app), clock.now()
    program = programs.load_program()
    member_id = people.new_member_id(f"{caller.subject}|{idempotency.required_key(key)}")
    mark = people.keyed_hash(f"enroll:{request_ids.fingerprint(request)}")[:32]
    member = members.joined(request, member_id=member_id, referral_code="", country=program.country, now=now)
    member = enrolment.newcomer(members.attributed(member, caller.actor), program, request.fingerprints)
    try:
        brought = _admitted(request, member, program, now, caller.actor)
    except LoyaltyError:
        existing = ledger.load_entry(keys.of("enroll", member_id=member_id))
        if existing is None:
            raise
        return _enrolled_before(existing, mark)
    entries = _first_entries(member, program, brought, now, caller.actor, mark)
    trail = audit.trail(caller, "member.enrolled", now, member_id)
    for _ in range(REFERRAL_CODE_ATTEMPTS):
        code = members.new_referral_code(request.name, runtime.random().choice)
        member = member.model_copy(update={"referral_code": code})
        writes = people.writes(None, member)
        try:
            operation.enroll(entries, [*writes, *(brought.writes if brought else ()), *trail], program, now)
        except CancelledError as cancelled:
            existing = ledger.load_entry(keys.of("enroll", member_id=member_id))
            if existing is not None:
                return _enrolled_before(existing, mark)
            refusal = people.identity_taken(cancelled, writes)
            if not isinstance(refusal, TryAgainError):
                return _claimed(member, program, refusal, mark, now, caller)
        else:
            return json_answer(member_answer(member), HTTPStatus.CREATED)
    raise TryAgainError("no free referral code was found; the same request may be sent again")


def _admitted(
    request: Enrollment, member: members.Member, program: Program, now: datetime, actor: str
) -> referrals.Brought | None:
    """What comes of the code that they join with. Raises whatever keeps them from joining."""
    today = local_day(now, program.time_zone)
    require_age(program, today, is_confirmed=request.age_confirmed, born_on=request.birth_date)
    return referrals.brought(member, program, now, actor)


def _first_entries(
    member: members.Member,
    program: Program,
    brought: referrals.Brought | None,
    now: datetime,
    actor: str,
    mark: str,
) -> list[Entry]:
    entry = enroll(
        member.member_id,
        program,
        now=now,
        actor=actor,
        fingerprint=mark,
        traits=first_traits(program, member.place, member.consent.marketing.channels, member.email),
        referred=brought.referred if brought else None,
    )
    account = book(Account(member_id=member.member_id), entry)
    return [entry, *on_joining(account, program, now=now, actor=actor)]


def _claimed(
    member: members.Member,
    program: Program,
    refusal: IdentifierTakenError,
    mark: str,
    now: datetime,
    caller: Caller,
) -> Answer:
    """Somebody who joins with the identifier of a provisional member is that member. Raises `refusal` otherwise."""
    if program.automatic_enrolment is None:
        raise refusal
    mark = people.keyed_hash(f"claim:{member.member_id}:{mark}")[:32]
    trail = audit.trail(caller, "member.enrolled", now)
    found = enrolment.claim(member, actor=caller.actor, fingerprint=mark, now=now, also=trail)
    if found is None:
        raise refusal
    claimed, was_before = found
    return json_answer(member_answer(claimed), HTTPStatus.OK if was_before else HTTPStatus.CREATED, replayed=was_before)


def _enrolled_before(existing: Entry, mark: str) -> Answer:
    if existing.fingerprint != mark:
        raise IdempotencyMismatchError("the key was used before to enroll another member; use a new key")
    member = people.load_member(existing.member_id).member
    return json_answer(member_answer(member), HTTPStatus.OK, replayed=True)


@app.post(
    "/v1/members/lookup",
    security=routes.open_to(STOREFRONT, OPERATOR, PARTNER),
    responses=routes.json_responses({200: MemberAnswer | MemberFound}, 404),
    summary="Find a member by one identifier; a partner learns the member's id alone",
    tags=["Members"],
)
def look_up_member(request: Annotated[OneIdentifier, Body()]) -> Answer:
    caller = auth.caller(app)
    partner = partner_access.calling(caller)
    [identity] = members.identities(request, programs.load_program().country)
    if partner is not None and identity.kind not in partner_access.LOOKED_UP_BY:
        raise ForbiddenError(f"partners look members up by {' or '.join(sorted(partner_access.LOOKED_UP_BY))}")
    guess_limits.require_may_guess(caller, clock.now())
    member_id = people.find(identity)
    audit.record(caller, "member.looked_up", clock.now(), member_id, by=identity.kind)
    if member_id is None:
        guess_limits.count(caller, clock.now())
        raise MemberNotFoundError(f"no member has this {identity.kind}")
    if partner is not None:
        return json_answer(MemberFound(member_id=member_id))
    return json_answer(member_answer(people.load_member(member_id).member))


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
    found, more = people.search(member_search.words_of(request.name), limit, after)
    audit.record(auth.caller(app), "members.searched", clock.now(), found=str(len(found)))
    following = paging.encode_cursor(more) if more else None
    return json_answer(MemberPage(items=tuple(member_answer(member) for member in found), next_cursor=following))


@app.get(
    "/v1/members/<member_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: MemberAnswer}, 404),
    summary="Profile, identifiers, consent",
    tags=["Members"],
)
def read_member(member_id: str) -> Answer:
    caller = auth.caller(app)
    found = people.load_member(caller.authorized_member_id(member_id)).member
    audit.record(caller, "member.read", clock.now(), found.member_id)
    return json_answer(member_answer(found))


@app.patch(
    "/v1/members/<member_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: MemberAnswer}, 404, 409),
    summary="Change profile, identifiers, consent, message preferences",
    tags=["Members"],
)
def change_member(member_id: str, change: Annotated[Change, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    before = people.load_member(caller.authorized_member_id(member_id))
    members.require_active(before.member)
    after = members.changed(before.member, change, programs.load_program().country, now)
    if after != before.member:
        trail = audit.trail(caller, "member.changed", now, after.member_id)
        if after.identities() - before.member.identities():
            guess_limits.require_may_guess(caller, now)
        try:
            profiles.save(before, after, actor=caller.actor, now=now, also=trail)
        except IdentifierTakenError:
            guess_limits.count(caller, now)
            raise
    return json_answer(member_answer(after))


@app.post(
    "/v1/members/<member_id>/tags",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({200: TraitsAnswer}, 400, 404, 409),
    summary="Add and remove the shop's own tags, which segments look at",
    tags=["Members"],
)
def tag_member(member_id: str, request: Annotated[Tagging, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now = auth.caller(app), clock.now()
    member_id = caller.authorized_member_id(member_id)
    reference = request_ids.derived_id("tags", member_id, idempotency.required_key(key))
    mark = request_ids.fingerprint(request)

    def retag(situation: Situation) -> Decision:
        traits = retagged(situation.account.traits, request.add, request.remove)
        entry = change_traits(
            situation.account,
            situation.program,
            traits,
            reference=reference,
            now=situation.now,
            actor=caller.actor,
            fingerprint=mark,
        )
        return Decision([entry])

    at = keys.of("traits", member_id=member_id, reference=reference)
    try:
        outcome = operation.run([member_id], retag, key=at, fingerprint=mark, now=now)
    except NothingChangesError:
        return json_answer(traits_answer(member_id, accounts_table.load_account(member_id).account.traits))
    return json_answer(traits_answer(member_id, outcome.entry.traits or Traits()), replayed=outcome.replayed)


@app.delete(
    "/v1/members/<member_id>",
    security=routes.open_to(OPERATOR, MEMBER),
    responses=routes.json_responses({200: MemberAnswer}, 404, 409),
    summary="Erase personal data; the pseudonymous ledger stays",
    tags=["Members"],
)
def erase_member(member_id: str) -> Answer:
    caller, now = auth.caller(app), clock.now()
    before = people.load_member(caller.authorized_member_id(member_id))
    is_there = before.member.status in {"active", "provisional"}
    profile_writes = people.writes(before, members.erased(before.member)) if is_there else []

    member_id = before.member.member_id
    trail = audit.trail(caller, "member.erased", now, member_id)
    outcome = erasure.close(member_id, actor=caller.actor, now=now, also=[*profile_writes, *trail])
    personal_data.forget((member_id, *outcome.accounts[0].merged_from))
    return json_answer(member_answer(members.erased(before.member)), replayed=outcome.replayed)


@app.get(
    "/v1/members/<member_id>/export",
    security=routes.open_to(MEMBER, OPERATOR),
    responses=routes.json_responses({200: WholeExport}, 404),
    summary="Everything held about the member",
    tags=["Members"],
)
def export_member(member_id: str) -> Answer:
    caller = auth.caller(app)
    member_id = caller.authorized_member_id(member_id)
    member = people.load_member(member_id).member
    audit.record(caller, "member.exported", clock.now(), member_id)
    account, *others = accounts_table.load_with_pool(member_id)
    [wallet] = accounts_table.load_accounts([wallet_of(member_id)])
    program, now = programs.load_program(), clock.now()
    accounts = [member_id, *account.merged_from]
    entries = [entry for one in accounts for entry in ledger.load_whole_history(one)]
    wallets = [wallet.member_id, *wallet.merged_from] if wallet.sequence else []
    return json_answer(
        WholeExport(
            member=member_answer(member),
            also_known_as=tuple(identity.model_dump() for identity in member.also_known_as),
            referred_by_code=member.referred_by_code,
            account=account_answer(account, program, now, others),
            entries=tuple(entry_answer(entry) for entry in entries),
            credit=credit_answer(wallet, program, now) if wallet.sequence else None,
            credit_entries=tuple(entry_answer(entry) for one in wallets for entry in ledger.load_whole_history(one)),
            gift_messages=gift_messages.all_words(accounts),
            held=personal_data.held(member_id),
        )
    )


@app.post(
    "/v1/members/<member_id>/merge",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({200: BookedAnswer}, 404, 409),
    summary="Take another member in: points with their expiry dates, identifiers, history",
    tags=["Members"],
)
def merge_members(member_id: str, request: Annotated[Merge, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    if member_id == request.from_member_id:
        raise InvalidRequestError(Fault("/from_member_id", "must be another member"))
    into, gone = people.load_member(caller.authorized_member_id(member_id)), people.load_member(request.from_member_id)
    trail = audit.trail(caller, "members.merged", now, into.member.member_id, from_member_id=gone.member.member_id)

    def unite(situation: Situation) -> Decision:
        stays, goes, wallet, gone_wallet, *beside = situation.accounts
        wallets = gone_wallet, wallet
        entries = merge_whole(goes, stays, wallets, beside, situation.program, now=situation.now, actor=caller.actor)
        return Decision(entries, [*_united_writes(gone, into), *trail])

    ids = [into.member.member_id, gone.member.member_id]
    outcome = operation.run(
        [*ids, *map(wallet_of, ids)],
        unite,
        key=keys.of("merge_out", **{"from": gone.member.member_id, "into": into.member.member_id}),
        fingerprint="",
        now=now,
        shares=False,
    )
    return ledger_answers.booked(outcome, HTTPStatus.OK)


def _united_writes(gone: people.StoredMember, into: people.StoredMember) -> list[client.Write]:
    if gone.member.status != "active" or into.member.status != "active":
        return []
    return people.moves(gone, into, *members.united(gone.member, into.member))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
