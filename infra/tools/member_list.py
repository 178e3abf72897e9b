"""The members of a table, with who they are: for somebody who looks at a small one."""

from typing import TYPE_CHECKING, Any

from shared.domain.account import Account
from shared.domain.errors import MemberNotFoundError
from shared.domain.subaccounts import is_pool, is_wallet
from shared.tables import members as people

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def members(client: "DynamoDBClient", table: str, count_max: int) -> list[dict[str, Any]]:
    """So many members at most, as answers show them."""
    found: list[dict[str, Any]] = []
    only = {"FilterExpression": "sk = :account", "ExpressionAttributeValues": {":account": {"S": "ACCOUNT"}}}
    for page in client.get_paginator("scan").paginate(TableName=table, **only):  # type: ignore[arg-type]
        for item in page["Items"]:
            account = Account.model_validate_json(item["state"]["S"])
            if not (is_wallet(account.member_id) or is_pool(account.member_id)):
                found.append(_shown(account))
            if len(found) == count_max:
                return found
    return found


def _shown(account: Account) -> dict[str, Any]:
    try:
        member = people.load_member(account.member_id).member
    except MemberNotFoundError:  # erased
        named: dict[str, Any] = dict.fromkeys(("external_id", "name", "email"))
    else:
        named = {"external_id": member.external_id, "name": member.name, "email": member.email}
    return {"member_id": account.member_id, "status": account.status, **named}
