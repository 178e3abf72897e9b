"""Everything held about a member, as they get it."""

from datetime import datetime
from typing import Any

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
    """Everything held about the member: what the other paths show, and in `held` every record as it is kept."""

    member: MemberAnswer
    also_known_as: tuple[dict[str, str], ...]
    referred_by_code: str | None
    account: AccountAnswer
    entries: tuple[EntryAnswer, ...]
    credit: CreditAnswer | None
    credit_entries: tuple[EntryAnswer, ...]
    gift_messages: dict[str, str]
    held: dict[str, Any]


def export_answer(export: Export, caller: Caller, now: datetime) -> WholeExport:
    """An export as the caller sees it: a member without operators' notes and names."""
    program, wallet = export.program, export.wallet
    sales = orders.sales_of(export.entries)
    return WholeExport(
        member=member_answer(export.member),
        also_known_as=tuple(
            {"kind": identity.kind, "value": identity.value} for identity in export.member.also_known_as
        ),
        referred_by_code=export.member.referred_by_code,
        account=account_answer(export.account, program, now, export.others),
        entries=tuple(entry_answer(entry, caller, sales.get(entry.entry_id)) for entry in export.entries),
        credit=credit_answer(wallet, program, now) if wallet else None,
        credit_entries=tuple(entry_answer(entry, caller) for entry in export.credit_entries),
        gift_messages=dict(export.gift_messages),
        held=dict(export.held) if OPERATOR in caller.scopes else record_told(export.held),
    )
