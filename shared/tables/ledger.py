"""The ledger's entries as they are stored, and the indexes that list them by member and by partner."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

from shared import settings
from shared.domain.entry import Entry
from shared.domain.ledger import concerns_others
from shared.domain.points.partner_funding import settlement_month
from shared.domain.program.program import Program
from shared.domain.spending.given_vouchers import follow_from
from shared.tables import client, keys, partitions, records
from shared.tables.client import Item, Key, Write

HISTORY_PAGES_MAX = 100
"""Pages of a megabyte: more than a member ever fills."""
SEQUENCE_MAX = 10**15


def entry_of(item: Item) -> Entry:
    """The entry that an item holds."""
    return records.read(Entry, item)


def booked(change: Mapping[str, Any], attribute: str) -> Entry | None:
    """The entry that a change of the table's stream booked; None if it booked none, or one without an attribute."""
    image = change["dynamodb"].get("NewImage", {})
    return entry_of(image) if change["eventName"] == "INSERT" and attribute in image else None


def load_entry(key: Key) -> Entry | None:
    """The entry at a key, if it exists."""
    item = client.get(settings.loyalty_table(), key)
    return entry_of(item) if item else None


def load_entries(wanted: Sequence[Key]) -> list[Entry | None]:
    """The entry at each of some different keys, or None; in as few requests as possible."""
    found: list[Entry | None] = []
    for start in range(0, len(wanted), client.READS_TOGETHER_MAX):
        items = client.get_together(settings.loyalty_table(), wanted[start : start + client.READS_TOGETHER_MAX])
        found += [entry_of(item) if item else None for item in items]
    return found


def load_order(order_id: str) -> list[Item]:
    """The entries of an order's life, and how it stands; none if there is no such order."""
    return list(partitions.items(settings.loyalty_table(), keys.of("earn", order_id=order_id).pk))


def load_gift(gift_id: str) -> list[Entry]:
    """The entries of a gift's life; none if there is no such gift."""
    return _load_life(keys.of("gift_offer", gift_id=gift_id))


def load_redemption(redemption_id: str) -> list[Entry]:
    """The entries of a redemption's life; none if there is no such redemption."""
    return _load_life(keys.of("reserve", redemption_id=redemption_id))


def _load_life(first: Key) -> list[Entry]:
    """All entries of which each is a step of what began with the first."""
    found = partitions.items(settings.loyalty_table(), first.pk, pages_max=1)
    return [entry_of(item) for item in found if "body" in item]


def load_history(member_id: str, limit: int, before: int = SEQUENCE_MAX) -> list[Entry]:
    """At most `limit` of a member's entries, newest first, those numbered below `before`."""
    values: dict[str, Any] = {":member": {"S": member_id}, ":before": {"N": str(before)}}
    answer = client.ask(
        lambda: client.client().query(
            TableName=settings.loyalty_table(),
            IndexName="history",
            KeyConditionExpression="member_id = :member AND #sequence < :before",
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
        )
    )
    return [entry_of(item) for item in answer["Items"]]


def load_whole_history(member_id: str) -> list[Entry]:
    """All of a member's entries, newest first."""
    items = client.query(
        settings.loyalty_table(),
        pages_max=HISTORY_PAGES_MAX,
        IndexName="history",
        KeyConditionExpression="member_id = :member",
        ExpressionAttributeValues={":member": {"S": member_id}},
        ScanIndexForward=False,
    )
    return [entry_of(item) for item in items]


def stored_history(member_id: str) -> Iterator[Item]:
    """All of a member's entries as they are stored, the oldest first."""
    return client.query(
        settings.loyalty_table(),
        pages_max=HISTORY_PAGES_MAX,
        IndexName="history",
        KeyConditionExpression="member_id = :member",
        ExpressionAttributeValues={":member": {"S": member_id}},
    )


def load_history_to(member_id: str, sequence: int | None) -> list[Entry] | None:
    """All of a member's entries, the oldest first, through the one numbered `sequence`; without one, through the last.

    None if the index does not show them all yet: it lags behind the table by a moment.
    """
    entries = [entry for entry in load_whole_history(member_id)[::-1] if sequence is None or entry.sequence <= sequence]
    is_whole = [entry.sequence for entry in entries] == list(range(1, (sequence or len(entries)) + 1))
    return entries if is_whole else None


def is_anything_booked() -> bool:
    """Whether any member has an entry; one of the last second may be missed."""
    answer = client.ask(
        lambda: client.client().scan(TableName=settings.loyalty_table(), IndexName="history", Limit=1, Select="COUNT")
    )
    return bool(answer["Count"])


def load_partner_entries(
    partner_id: str, month: str, limit: int, after: str | None = None
) -> tuple[list[Entry], str | None]:
    """At most `limit` of a partner's entries of a month (2026-11), as they were booked, and where the next begins."""
    table, shards = settings.loyalty_table(), _partner_shards(partner_id, month)
    found = [item for pk in shards for item in client.following(table, pk, after or "", limit + 1, "partner")]
    items = sorted(found, key=_booked_at)
    more = _booked_at(items[limit - 1]) if len(items) > limit else None
    return [entry_of(item) for item in items[:limit]], more


def all_partner_entries(partner_id: str, month: str, pages_max: int) -> Iterator[Entry]:
    """All of a partner's entries of a month, in no order. Raises TryAgainError beyond `pages_max` pages of a shard."""
    for pk in _partner_shards(partner_id, month):
        items = client.query(
            settings.loyalty_table(),
            pages_max=pages_max,
            IndexName="partner",
            KeyConditionExpression="partner_pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
        )
        yield from map(entry_of, items)


def _partner_shards(partner_id: str, month: str) -> list[str]:
    """Where a partner's entries of a month may stand: one partition takes no more than a thousand writes a second."""
    return [keys.partner_month(partner_id, month, shard) for shard in (None, *range(settings.due_shards_read()))]


def _booked_at(item: Item) -> str:
    """Since when an entry is in the index of partners, and its id: no two have the same."""
    return str(item["partner_sk"]["S"])


def put(entry: Entry, program: Program) -> Write:
    """A write that books an entry, unless one exists at its key."""
    of_partner: dict[str, Any] = {}
    if entry.partner is not None:
        month = settlement_month(entry, program)
        booked_at = entry.recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
        shard = keys.shard_of(entry.entry_id, settings.due_shards())
        of_partner["partner_pk"] = {"S": keys.partner_month(entry.partner.partner_id, month, shard)}
        of_partner["partner_sk"] = {"S": f"{booked_at}#{entry.entry_id}"}
    return client.put_new(
        settings.loyalty_table(),
        keys.entry_key(entry),
        member_id={"S": entry.member_id},
        sequence={"N": str(entry.sequence)},
        type={"S": entry.type},
        # What the stream's filter for the function `consequences` looks at.
        **({"follow": {"S": entry.type}} if concerns_others(entry) or follow_from(entry, program) else {}),
        **of_partner,
        **records.attributes(entry),
    )


def returned_sums(entry: Entry) -> Iterator[Write]:
    """The write that keeps how much of a redemption has come back in parts, if the entry gives some back."""
    if entry.returned is not None:
        key = keys.returned_key(entry.source["redemption_id"])
        item = {**client.key_of(key), "amount": {"N": str(entry.returned.points)}}
        yield {"Put": {"TableName": settings.loyalty_table(), "Item": item}}
