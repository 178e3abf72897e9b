"""Answers out of the ledger: what a request has booked, and an account's history page by page."""

from http import HTTPStatus

from shared.api import paging
from shared.api.answers import Answer, json_answer
from shared.api.schemas.accounts import account_answer
from shared.api.schemas.entries import BookedAnswer, EntryPage, entry_answer
from shared.domain.account import Account
from shared.tables import ledger, operation


def booked(outcome: operation.Outcome, status: HTTPStatus = HTTPStatus.CREATED) -> Answer:
    """The entry and the first account beside it: `status` if it was booked now; 200 for a replay."""
    account, *others = outcome.accounts
    return json_answer(
        BookedAnswer(
            entry=entry_answer(outcome.entry),
            account=account_answer(account, outcome.program, outcome.now, others),
        ),
        HTTPStatus.OK if outcome.replayed else status,
        replayed=outcome.replayed,
    )


def history(account: Account, limit: int, cursor: str | None) -> EntryPage:
    """A page of an account's entries, newest first; after them come those of the accounts merged into it.

    Raises InvalidRequestError for a cursor of another list.
    """
    ids = (account.member_id, *account.merged_from)
    place, before = paging.decode_cursor(cursor, int, int) if cursor else (0, account.sequence + 1)
    if not 0 <= place < len(ids) or not 0 < before <= ledger.SEQUENCE_MAX:
        raise paging.foreign_cursor()
    entries = ledger.load_history(ids[place], limit, before)
    following = None
    if entries and entries[-1].sequence > 1:
        following = paging.encode_cursor(place, entries[-1].sequence)
    elif place + 1 < len(ids):
        following = paging.encode_cursor(place + 1, ledger.SEQUENCE_MAX)
    return EntryPage(items=tuple(entry_answer(entry) for entry in entries), next_cursor=following)
