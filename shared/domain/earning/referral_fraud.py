"""Whether somebody who joins by a referral is a friend at all: what refuses it, and what an operator should look at."""

import unicodedata
from collections.abc import Sequence

from shared.domain.members.members import Member
from shared.domain.program.referrals import Referrals

NAME_WORDS_MIN = 2
"""Of a name that tells somebody from others: many share a first name."""
_DOTS_DO_NOT_COUNT = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}


def alike(address: str) -> str:
    """What e-mail addresses that reach one person have in common: no `+tag`, and at some providers no dots."""
    local, _, domain = address.lower().rpartition("@")
    local = local.split("+")[0] or local
    if domain in _DOTS_DO_NOT_COUNT:
        return f"{local.replace('.', '')}@{_DOTS_DO_NOT_COUNT[domain]}"
    return f"{local}@{domain}"


def similar(address: str) -> str:
    """What e-mail addresses that differ in dots and tags alone have in common, at whatever provider."""
    local, _, domain = alike(address).rpartition("@")
    return f"{local.replace('.', '')}@{domain}"


def plain_name(name: str | None) -> tuple[str, ...]:
    """The words of a name, without case, accents, order and signs; none if it tells nobody from others."""
    letters = unicodedata.normalize("NFKD", (name or "").casefold())
    kept = (letter for letter in letters if not unicodedata.combining(letter))
    words = "".join(letter if letter.isalnum() else " " for letter in kept).split()
    return tuple(sorted(words)) if len(words) >= NAME_WORDS_MIN else ()


def why_refused(friend: Member, advocate: Member, above: Sequence[Member]) -> str | None:
    """Why the friend cannot join with the code; None if they can. `above` is the advocate's chain of advocates."""
    if _are_one(friend, advocate):
        return "is your own code; only other people can join with it"
    if any(_are_one(friend, one) for one in above):
        return "belongs to a member who joined through you"
    return None


def why_suspicious(friend: Member, advocate: Member, already: Sequence[int], terms: Referrals) -> str | None:
    """Why an operator should look at a referral; `already` says how many came this week from each of its sources."""
    if set(friend.fingerprints) & set(advocate.fingerprints):
        return "the same card or address as the advocate's"
    if _similar(friend) & _similar(advocate):
        return "an e-mail address like the advocate's"
    if plain_name(friend.name) and plain_name(friend.name) == plain_name(advocate.name):
        return "the same name as the advocate's"
    if any(count >= terms.friends_per_week for count in already):
        return f"more than {terms.friends_per_week} friends in a week from one source"
    return None


def _are_one(one: Member, other: Member) -> bool:
    if one.member_id == other.member_id or _plain(one) & _plain(other):
        return True
    return bool(_addresses(one) & _addresses(other))


def _plain(member: Member) -> set[tuple[str, str]]:
    return {(one.kind, one.value) for one in member.identities() if one.kind not in {"referral_code", "email"}}


def _similar(member: Member) -> set[str]:
    return {similar(one.value) for one in member.identities() if one.kind == "email"}


def _addresses(member: Member) -> set[str]:
    return {alike(one.value) for one in member.identities() if one.kind == "email"}
