"""Everything held about a member, as they get it."""

from datetime import datetime
from typing import Any

from shared.api.paging import encode_place
from shared.api.schemas.accounts import AccountAnswer, account_answer
from shared.api.schemas.credit import CreditAnswer, credit_answer
from shared.api.schemas.entries import EntryAnswer, entry_answer
from shared.api.schemas.members import MemberAnswer, member_answer
from shared.caller import OPERATOR, Caller
from shared.domain.explanations import record_told
from shared.domain.fields import Record
from shared.services import orders
from shared.services.personal_data import Export


class WholeExport(Record):
    """Everything held about the member: what the other paths show, and in `held` every record as it is kept.

    A long ledger is here with its newest entries. `next_cursor` is where the others begin in the list of entries, and
    `credit_next_cursor` in that of store credit; null: none are left out.
    """

    member: MemberAnswer
    also_known_as: tuple[dict[str, str], ...]
    referred_by_code: str | None
    account: AccountAnswer
    entries: tuple[EntryAnswer, ...]
    next_cursor: str | None
    credit: CreditAnswer | None
    credit_entries: tuple[EntryAnswer, ...]
    credit_next_cursor: str | None
    gift_messages: dict[str, str]
    held: dict[str, Any]


def export_answer(export: Export, caller: Caller, now: datetime) -> WholeExport:
    """An export as the caller sees it: a member without operators' notes and names."""
    program, wallet = export.program, export.wallet
    sales = orders.sales_of(export.entries.items)
    return WholeExport(
        member=member_answer(export.member),
        also_known_as=tuple(
            {"kind": identity.kind, "value": identity.value} for identity in export.member.also_known_as
        ),
        referred_by_code=export.member.referred_by_code,
        account=account_answer(export.account, program, now, export.others),
        entries=tuple(entry_answer(entry, caller, sales.get(entry.entry_id)) for entry in export.entries.items),
        next_cursor=encode_place(export.entries.next_place),
        credit=credit_answer(wallet, program, now) if wallet else None,
        credit_entries=tuple(entry_answer(entry, caller) for entry in export.credit_entries.items),
        credit_next_cursor=encode_place(export.credit_entries.next_place),
        gift_messages=dict(export.gift_messages),
        held=dict(export.held) if OPERATOR in caller.scopes else record_told(export.held),
    )
