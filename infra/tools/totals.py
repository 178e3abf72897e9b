"""What all members hold together: points by where they went, and what the rest is worth."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.lifecycle.passing_of_time import settle
from shared.domain.points.tiers import held_tier
from shared.domain.subaccounts import is_pool, is_wallet
from shared.tables import accounts, programs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def outstanding(account: Account) -> int:
    """What an account holds, in points or for a wallet minor units: available, pending and held."""
    return account.balance + account.pending_points + account.held_points


@dataclass(frozen=True)
class Holdings:
    """Sums over a table as of an instant.

    `liability_amount` is what all points are worth in minor units, None if points have no price; `credit_amount`
    is all store credit, in minor units as well.
    """

    members: int
    orders: int
    earned: int
    redeemed: int
    expired: int
    outstanding: int
    liability_amount: int | None
    credit_amount: int
    currency: str
    tiers: dict[str, int]


def holdings(client: "DynamoDBClient", loyalty_table: str, now: datetime) -> Holdings:
    """Add up every account, settled to `now`. Pending and held points are outstanding as well."""
    program = programs.load_program()
    sums: Counter[str] = Counter()
    tiers = {tier.name: 0 for tier in program.tiers.levels}
    for page in client.get_paginator("scan").paginate(TableName=loyalty_table):
        for item in page["Items"]:
            if item["sk"]["S"] == "EARN":
                sums["orders"] += item["pk"]["S"].startswith("ORDER#")
            if item["sk"]["S"] != "ACCOUNT":
                continue
            account = accounts.account_of(item)
            as_of = account.present(now)
            account = settle(account, program, as_of).account
            if is_wallet(account.member_id):
                sums["credit"] += outstanding(account)
                continue
            sums["members"] += account.status == "active" and not is_pool(account.member_id)
            sums["earned"] += account.earned
            sums["redeemed"] += account.totals.captured
            sums["expired"] += account.totals.expired
            sums["outstanding"] += outstanding(account)
            if not is_pool(account.member_id):  # a pool stands in no tier
                tiers[held_tier(account, program.tiers, local_day(as_of, program.time_zone)).name] += 1
    rate = program.redeeming.points_as_money
    return Holdings(
        members=sums["members"],
        orders=sums["orders"],
        earned=sums["earned"],
        redeemed=sums["redeemed"],
        expired=sums["expired"],
        outstanding=sums["outstanding"],
        liability_amount=sums["outstanding"] * rate.amount // rate.points if rate else None,
        credit_amount=sums["credit"],
        currency=program.currency,
        tiers=tiers,
    )
