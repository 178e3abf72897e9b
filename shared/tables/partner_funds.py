"""What partners have paid in, and whether it is noted that a partner's funds are low."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared import settings
from shared.domain.fields import Stored
from shared.domain.points.partner_funding import funding_name
from shared.tables import budgets, client, keys, records
from shared.tables.client import CancelledError, Write


class Deposit(Stored):
    """What a partner paid in, in minor units, and the points that it pays for."""

    partner_id: str
    reference: str
    amount: int
    points: int
    actor: str
    deposited_at: datetime
    fingerprint: str


class LowNote(NamedTuple):
    """Whether it is noted that a partner's funds are low, and how often they have been so far."""

    is_low: bool
    times: int


def put_deposit(deposit: Deposit, further: Sequence[Write]) -> None:
    """Write a deposit with its points, and `further`. Raises CancelledError; see `existing_deposit`."""
    key = keys.deposit_key(deposit.partner_id, deposit.reference)
    put = client.put_new(settings.loyalty_table(), key, **records.attributes(deposit))
    client.transact([put, budgets.deposit(funding_name(deposit.partner_id), deposit.points), *further])


def existing_deposit(cancelled: CancelledError) -> Deposit | None:
    """The deposit that exists already under the reference, if that is why it was not written."""
    item = cancelled.failed.get(0)
    return records.read(Deposit, item) if item else None


def load_low_note(partner_id: str) -> LowNote:
    """What is noted about a partner's funds."""
    item = client.get(settings.loyalty_table(), keys.funds_key(partner_id)) or {}
    return LowNote(bool(item.get("low", {}).get("BOOL")), int(item.get("times", {"N": "0"})["N"]))


def replace_low_note(partner_id: str, before: LowNote, after: LowNote) -> None:
    """Note what has changed, unless somebody else did meanwhile."""
    item: dict[str, Any] = {
        **client.key_of(keys.funds_key(partner_id)),
        "low": {"BOOL": after.is_low},
        "times": {"N": str(after.times)},
    }
    as_read = "attribute_not_exists(pk) OR (times = :times AND low = :low)"
    values = {"times": {"N": str(before.times)}, "low": {"BOOL": before.is_low}}
    client.put_if(settings.loyalty_table(), item, as_read, **values)
