"""By what each kind of stored item is read today."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from shared.domain.lifecycle import remembered
from shared.domain.members import address_changes
from shared.domain.program import program
from shared.domain.telling import notifications, webhooks
from shared.tables import accounts, audit, ledger, members, partner_funds, reviews
from tests.stored import replaying

Item = Mapping[str, Any]


def _body(model: type[BaseModel]) -> Callable[[Item], BaseModel]:
    return lambda item: model.model_validate_json(item["body"]["S"])


def _note(item: Item) -> BaseModel:
    return notifications.Note.model_validate_json(item["note"]["S"])


READERS: Mapping[str, Callable[[Item], BaseModel]] = {
    "MEMBER|ACCOUNT": accounts.account_of,
    "MEMBER|ACCESS": _body(audit.Trace),
    "AUDIT|": _body(audit.Trace),
    "PROGRAM|": _body(program.Program),
    "REVIEW|REVIEW": reviews.review_of,
    "REVIEWS|": reviews.review_of,
    "WEBHOOKS|WEBHOOK": _body(webhooks.Webhook),
    "WEBHOOK|": _body(webhooks.Delivery),
    "WAITING|": _body(notifications.Note),
    "REMEMBERED|CASE": _body(remembered.Remembered),
    "PARTNER|DEPOSIT": _body(partner_funds.Deposit),
    "MEMBER|PROFILE": lambda item: members.member_of(item, "").member,
    "MEMBER|CHANGE": _body(address_changes.AddressChange),
    "NOTE|": _note,
}
"""By the beginnings of the two parts of a key, up to the first `#`, what reads the item's body."""

ATTRIBUTES: Mapping[str, str] = {"MEMBER|ACCOUNT": "state", "NOTE|": "note"}
"""The attribute that holds it, where that is not `body`."""

PLAIN: Mapping[str, frozenset[str]] = {
    "ORDER|REFUNDED": frozenset({"amount"}),
    "REDEMPTION|RETURNED": frozenset({"amount"}),
    "ORDER|PAID": frozenset({"by_points", "by_credit", "order_total"}),
    "BUDGET|TOTAL": frozenset({"budgeted", "remaining", "version"}),
    "BUDGET|SLICE": frozenset({"remaining"}),
    "REWARD|STOCK": frozenset({"shelved", "taken"}),
    "REWARD|SHELF": frozenset({"of_stock", "pieces"}),
    "PARTNER|FUNDS": frozenset({"low", "times"}),
    "SCHEDULE|": frozenset({"on"}),
    "MESSAGE|SENT": frozenset({"claimed_at", "sent_at"}),
    "MESSAGE|WEEK": frozenset({"forget_at", "messages"}),
    "STATEMENT|": frozenset({"forget_at"}),
    "INVITATION|INVITATION": frozenset(
        {"pool_id", "invited_by", "pool_sequence", "expires_at", "used_by", "forget_at"}
    ),
    "POOL|LEFT": frozenset({"pool_sequence", "forget_at"}),
    "GUESSES|": frozenset({"forget_at", "guesses"}),
    "CODE|CODE": frozenset({"expires_at", "forget_at", "member_id", "used_for"}),
    "REFERRALS|FRIEND": frozenset({"friend"}),
    "MEMBER|GIFT": frozenset({"other", "words"}),
    "IDENTITY|IDENTITY": frozenset({"kind", "locked", "member_id"}),
    "REMEMBERED|": frozenset({"case", "forget_at"}),
    "NAME|MEMBER": frozenset(),
    "BIRTHDAY|MEMBER": frozenset({"since"}),
    "SOURCE|SOURCE": frozenset({"friends", "week"}),
}
"""Items without a body, by the same names, and the attributes that those who read them know."""


def kind_of(item: Item) -> str:
    """What an item is, by its key."""
    pk, sk = (item[name]["S"].partition("#")[0] for name in ("pk", "sk"))
    whole = f"{pk}|{sk}"
    return whole if whole in READERS or whole in PLAIN else f"{pk}|"


def read(item: Item) -> None:
    """Read an item as this release does. Fails where it cannot, or where something of the item is lost on the way."""
    kind = kind_of(item)
    if "type" in item:
        _require_all(ledger.entry_of(item), item["body"]["S"])
    elif kind in READERS:
        _require_all(READERS[kind](item), item[ATTRIBUTES.get(kind, "body")]["S"])
    else:
        assert kind in PLAIN, f"nobody reads {kind}"
        assert set(item) - {"pk", "sk"} <= PLAIN[kind], f"of {kind} something is not known"


def _require_all(found: BaseModel, text: str) -> None:
    assert replaying.says(json.loads(found.model_dump_json()), json.loads(text)), f"something is lost of {text}"
