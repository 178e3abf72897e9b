"""What a campaign did, from the ledger alone: members it treated against those it held out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.domain.earning.campaigns import groups_of
from shared.domain.entry import Entry
from shared.tables.ledger import entry_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass
class Group:
    """One group's orders that the campaign was open to; amounts in minor units, refunds taken off."""

    members: set[str] = field(default_factory=set)
    orders: int = 0
    amount: int = 0
    campaign_points: int = 0

    @property
    def average_order(self) -> int:
        """Minor units, rounded down; 0 without orders."""
        return self.amount // self.orders if self.orders else 0


def effect(client: "DynamoDBClient", loyalty_table: str, campaign_id: str) -> dict[str, Group]:
    """By group: `treated`, `held_out`, and `used_up` (would have been treated, but nothing was left of the budget).

    One pass over the table; memory grows with the campaign's orders, not with the ledger.
    """
    pages = client.get_paginator("scan").paginate(TableName=loyalty_table, ConsistentRead=True)
    return _grouped((item for page in pages for item in page["Items"]), campaign_id)


def _grouped(items: Iterable[Mapping[str, Any]], campaign_id: str) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    group_of: dict[str, str] = {}
    refunded: dict[str, int] = {}
    for item in items:
        order_id = item["pk"]["S"].removeprefix("ORDER#")
        if item["sk"]["S"] == "REFUNDED":
            refunded[order_id] = int(item["amount"]["N"])
        elif item["sk"]["S"] == "EARN" and campaign_id in item["body"]["S"]:
            entry = entry_of(item)
            name = groups_of(entry.source).get(campaign_id)
            if name is not None and entry.order is not None:
                _count(groups.setdefault(name, Group()), entry, campaign_id)
                group_of[order_id] = name
    for order_id, name in group_of.items():
        groups[name].amount -= refunded.get(order_id, 0)
    return groups


def _count(group: Group, entry: Entry, campaign_id: str) -> None:
    group.members.add(entry.member_id)
    group.orders += 1
    group.amount += entry.order.total if entry.order else 0
    pieces = (piece.points for piece in entry.breakdown if piece.rule_id == f"campaign:{campaign_id}")
    group.campaign_points += sum(pieces)
