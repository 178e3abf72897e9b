"""The link in an e-mail that ends more of its kind. Whoever has the link may use it: it needs no token."""

from datetime import datetime
from typing import NamedTuple

from shared.domain.errors import TryAgainError
from shared.domain.members.contact_preferences import unsubscribed
from shared.domain.message_types import Category
from shared.messaging import unsubscribe as links
from shared.messaging.unsubscribe import Link
from shared.services import profiles
from shared.tables import accounts, members, programs

SAVE_ATTEMPTS_MAX = 3
_BY_LINK = "member:unsubscribe-link"
"""Who ended it, as entries name their actor."""


class Subscription(NamedTuple):
    """What a link ends: e-mail of a category, about a program."""

    category: Category
    program_name: str


def read_subscription(link_token: str) -> Subscription:
    """What a link ends. Changes nothing. Raises LinkNotFoundError."""
    return Subscription(links.link_of(link_token).category, programs.load_program().name)


def end_subscription(link_token: str, *, now: datetime) -> Subscription:
    """Send the member no more e-mail of the link's category; once is enough.

    Raises LinkNotFoundError, and TryAgainError if the profile kept being changed by others.
    """
    link = links.link_of(link_token)
    for attempts_left in reversed(range(SAVE_ATTEMPTS_MAX)):
        try:
            _unsubscribe(link, now)
            break
        except TryAgainError:
            if attempts_left == 0:
                raise
    return Subscription(link.category, programs.load_program().name)


def _unsubscribe(link: Link, now: datetime) -> None:
    """Unsubscribe the member, or the one that they were merged into. Nobody writes to a member who is not active."""
    before = members.load_member(link.member_id)
    if before.member.merged_into:
        before = members.load_member(accounts.load_survivor(before.member.merged_into).member_id)
    if before.member.status != "active" or before.member.erasure is not None:
        return
    after = unsubscribed(before.member, link.category, now)
    if after != before.member:
        profiles.save(before, after, actor=_BY_LINK, now=now)
