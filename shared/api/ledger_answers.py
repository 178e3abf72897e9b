"""Answers from the ledger: what a request has booked, and a page of an account's history."""

from datetime import datetime
from http import HTTPStatus

from shared.api import paging
from shared.api.answers import Answer, json_answer
from shared.api.schemas.accounts import account_answer
from shared.api.schemas.entries import BookedAnswer, EntryPage, PartnerBookedAnswer, entry_answer, partner_entry
from shared.api.schemas.reviews import asked
from shared.caller import Caller
from shared.domain.earning.kept_orders import Sale, returned_of
from shared.domain.entry import Entry
from shared.domain.subaccounts import is_wallet
from shared.services import orders, program
from shared.services.asking import Asked
from shared.services.histories import Page
from shared.tables import operation


def booked(outcome: operation.Outcome, caller: Caller, status: HTTPStatus = HTTPStatus.CREATED) -> Answer:
    """The entry and the first account beside it: `status` if it was booked now; 200 for a replay."""
    return json_answer(
        booked_answer(outcome, caller), HTTPStatus.OK if outcome.replayed else status, replayed=outcome.replayed
    )


def booked_answer(outcome: operation.Outcome, caller: Caller) -> BookedAnswer:
    """The entry and the first account beside it."""
    account, *others = outcome.accounts
    return BookedAnswer(
        entry=entry_answer(outcome.entry, caller, sale_of(outcome)),
        account=account_answer(account, outcome.program, outcome.now, others),
    )


def booked_or_asked(
    done: operation.Outcome | Asked, caller: Caller, now: datetime, status: HTTPStatus = HTTPStatus.CREATED
) -> Answer:
    """As `booked`; where another operator has to agree, 202 and the review that it waits for."""
    return asked(done, program.today(now)) if isinstance(done, Asked) else booked(done, caller, status)


def booked_for(caller: Caller, outcome: operation.Outcome) -> Answer:
    """As `booked`; a partner gets its entry alone."""
    if caller.partner_id is None:
        return booked(outcome, caller)
    status = HTTPStatus.OK if outcome.replayed else HTTPStatus.CREATED
    answer = PartnerBookedAnswer(entry=partner_entry(outcome.entry, sale_of(outcome)))
    return json_answer(answer, status, replayed=outcome.replayed)


def entry_page(page: Page[Entry, int], caller: Caller) -> EntryPage:
    """A page of an account's entries, with how the orders stand that those of a member credit."""
    sales = orders.sales_of([entry for entry in page.items if not is_wallet(entry.member_id)])
    items = tuple(entry_answer(entry, caller, sales.get(entry.entry_id)) for entry in page.items)
    return EntryPage(items=items, next_cursor=paging.encode_place(page.next_place))


def sale_of(outcome: operation.Outcome) -> Sale | None:
    """The order that an entry credits, as it stands."""
    entry = outcome.entry
    return outcome.order or (Sale(entry, returned_of(entry)) if entry.order is not None else None)
