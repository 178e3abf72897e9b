"""The members of a table, with who they are: for somebody who looks at a small one."""

from itertools import islice
from typing import Any

from infra.tools import segments
from shared.domain.account import Account
from shared.domain.errors import MemberNotFoundError
from shared.domain.subaccounts import is_pool, is_wallet
from shared.tables import members as people
from shared.tables.accounts import account_of


def members(table: str, count_max: int) -> list[dict[str, Any]]:
    """So many members at most, as answers show them. The environment names the table of people."""
    whole = {"table": table, "segment": 0, "of": 1}
    accounts = (account_of(item) for page in segments.accounts(whole) for item in page)
    found = (one for one in accounts if not (is_wallet(one.member_id) or is_pool(one.member_id)))
    return [_shown(one) for one in islice(found, count_max)]


def _shown(account: Account) -> dict[str, Any]:
    try:
        member = people.load_member(account.member_id).member
    except MemberNotFoundError:  # erased
        named: dict[str, Any] = dict.fromkeys(("external_id", "name", "email"))
    else:
        named = {"external_id": member.external_id, "name": member.name, "email": member.email}
    return {"member_id": account.member_id, "status": account.status, **named}
