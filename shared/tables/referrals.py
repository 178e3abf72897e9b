"""Referrals in the tables: whose a code is, who has come by it, and how many came from one source in a week."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared import settings
from shared.domain.account import Account
from shared.domain.calendar import local_day, period_of
from shared.domain.earning.referral_fraud import why_refused, why_suspicious
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.facets import Referred
from shared.domain.members.members import Identity, Member
from shared.domain.points.reviews import Review
from shared.domain.program.program import Program
from shared.tables import accounts, client, keys, ledger, members, reviews
from shared.tables.client import Item, Key, Write

CHAIN_MAX = 3
"""How many advocates up a chain are looked at."""
_FRIENDS_TOGETHER = client.READS_TOGETHER_MAX // 2


class Brought(NamedTuple):
    """What comes of a code that somebody joined with: the referral, and what else is written with their first entry."""

    referred: Referred
    writes: list[Write]


class Friend(NamedTuple):
    """Somebody who has come by a member's code: their account, and what the member got for it, if anything yet."""

    member_id: str
    joined_at: datetime
    account: Account
    reward: Entry | None


class _Source(NamedTuple):
    key: Key
    friends: int


def brought(newcomer: Member, program: Program, now: datetime, actor: str) -> Brought | None:
    """Look at the code that a newcomer gives; None if they give none, or the program asks for none.

    Raises InvalidRequestError if it is of no use, and says why.
    """
    terms, code = program.referrals, newcomer.referred_by_code
    if terms is None or code is None:
        return None
    today = local_day(now, program.time_zone)
    if not terms.covers(today):
        raise _no_use(f"codes are taken from {terms.starts_on or 'the start'} to {terms.ends_on or 'any day'}")
    advocate_id = members.find(Identity(kind="referral_code", value=code.strip().upper()))
    if advocate_id is None:
        raise _no_use("no member has this code")
    week = period_of(today, "week")
    advocate, account, sources = _look(advocate_id, newcomer, week)
    refusal = why_refused(newcomer, advocate, list(_above(account)))
    if refusal:
        raise _no_use(refusal)
    suspicion = why_suspicious(newcomer, advocate, [source.friends for source in sources], terms)
    if suspicion and terms.suspicious == "refuse":
        raise _no_use(f"cannot be used here: {suspicion}")
    referred = Referred(advocate=advocate_id, state="in_review" if suspicion else "open")
    writes = [_listed(advocate_id, newcomer, now), *(_counted(source, week) for source in sources)]
    if suspicion:
        writes += reviews.put(_review(newcomer.member_id, advocate_id, suspicion, now, actor))
    return Brought(referred, writes)


def friends_of(advocate: str, limit: int, before: str | None) -> tuple[list[Friend], str | None]:
    """At most `limit` of those who came by a member's code, the newest first, and where the next page begins."""
    request: dict[str, Any] = {
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": _list_key(advocate)}},
        "ScanIndexForward": False,
        "Limit": limit,
    }
    if before:
        request["ExclusiveStartKey"] = client.key_of(Key(_list_key(advocate), before))
    answer = client.ask(lambda: client.client().query(TableName=settings.loyalty_table(), **request))
    more = answer["Items"][-1]["sk"]["S"] if "LastEvaluatedKey" in answer else None
    return list(_friends(answer["Items"])), more


def _friends(items: Sequence[Item]) -> Iterator[Friend]:
    for start in range(0, len(items), _FRIENDS_TOGETHER):
        some = [(item["friend"]["S"], item["sk"]["S"]) for item in items[start : start + _FRIENDS_TOGETHER]]
        wanted = [
            key
            for friend, _ in some
            for key in (keys.account_key(friend), keys.of("referral", friend=friend, role="ADVOCATE"))
        ]
        found = client.get_together(settings.loyalty_table(), wanted)
        for (friend, place), account, reward in zip(some, found[::2], found[1::2], strict=True):
            if account is not None:
                yield Friend(
                    friend,
                    datetime.fromisoformat(place.split("#")[1]),
                    accounts.survivor_of(accounts.account_of(account)),
                    ledger.entry_of(reward) if reward else None,
                )


def _look(advocate_id: str, newcomer: Member, week: str) -> tuple[Member, Account, list[_Source]]:
    """The advocate, and how many came this week from each source that the newcomer comes from; in one request."""
    places = [members.source_key(source) for source in (advocate_id, *newcomer.fingerprints)]
    table = settings.people_table()
    profile, account, *counters = client.get_across(
        [
            (table, members.member_key(advocate_id)),
            (settings.loyalty_table(), keys.account_key(advocate_id)),
            *((table, place) for place in places),
        ]
    )
    if account is None:
        raise _no_use("no member has this code")
    counts = [int(item["friends"]["N"]) if item and item["week"]["S"] == week else 0 for item in counters]
    sources = [_Source(place, count) for place, count in zip(places, counts, strict=True)]
    return members.member_of(profile, advocate_id).member, accounts.account_of(account), sources


def _above(account: Account) -> Iterator[Member]:
    """Who brought the advocate, who brought them, and so on."""
    for _ in range(CHAIN_MAX):
        if account.referred is None:
            return
        above = account.referred.advocate
        profile, item = client.get_across(
            [
                (settings.people_table(), members.member_key(above)),
                (settings.loyalty_table(), keys.account_key(above)),
            ]
        )
        if profile is None or item is None:
            return
        yield members.member_of(profile, above).member
        account = accounts.account_of(item)


def _listed(advocate_id: str, newcomer: Member, now: datetime) -> Write:
    key = Key(_list_key(advocate_id), f"FRIEND#{now.isoformat()}#{newcomer.member_id}")
    return client.put_new(settings.loyalty_table(), key, friend={"S": newcomer.member_id})


def _counted(source: _Source, week: str) -> Write:
    """One more this week. Two at the same instant may count as one: that is close enough for a suspicion."""
    item = {**client.key_of(source.key), "week": {"S": week}, "friends": {"N": str(source.friends + 1)}}
    return {"Put": {"TableName": settings.people_table(), "Item": item}}


def _review(friend: str, advocate: str, suspicion: str, now: datetime, actor: str) -> Review:
    return Review(
        review_id=reviews.id_of("referral", friend),
        kind="referral",
        member_id=friend,
        requested_by=actor,
        requested_at=now,
        what=f"A referral: {suspicion}",
        details={"advocate": advocate},
    )


def _list_key(advocate: str) -> str:
    return f"REFERRALS#{advocate}"


def _no_use(why: str) -> InvalidRequestError:
    return InvalidRequestError(Fault("/referral_code", why))
