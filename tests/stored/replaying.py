"""Requests that were recorded, sent once more, and what of their answers must come again."""

from collections.abc import Mapping
from typing import Any

from tests.functions import shop

OPTIONS = ("scope", "member_id", "partner_id", "caller", "headers", "query")
NO_REPLAY = (
    "/codes",
    "/consent",
    "/lookup",
    "/search",
    "/quote",
    "/replay",
    "/preview",
    "/preferences",
    "/v1/ucp/loyalty",
)
"""How the paths of POST requests end whose answers carry no mark of a replay, by contract."""
OF_NOW = frozenset(
    {"account", "as_of", "balance", "credit", "expiring", "failing_since", "former", "funds", "members", "secret"}
)
"""What an answer says of the moment, not of what was done. A secret is not written down."""
OF_ACCOUNT = frozenset({"actor", "balance_after", "breakdown", "effects", "lots", "sequence"})
"""What an entry tells of its account: partners are not told it any more."""
MAY_CHANGE = frozenset({"decided_at", "decided_by", "message", "reason", "state"})
"""What becomes of a gift or of a review after it was offered or asked for; words go when either person is erased."""


def is_marked(method: str, path: str) -> bool:
    """Whether the answer to a repeated request says that it is a replay."""
    return method in {"POST", "DELETE"} and not path.endswith(NO_REPLAY)


def send_again(till: shop.Shop, request: Mapping[str, Any]) -> shop.Reply:
    """Send a recorded request as it was."""
    method, path = request["request"].split(" ")
    options = {name: request[name] for name in OPTIONS if name in request}
    return till.call(method, path, request["body"], **options)


def lasting(first: Mapping[str, Any], again: Mapping[str, Any]) -> dict[str, Any]:
    """What of an answer every later replay must say. Fails if the replay at hand does not say it."""
    if "referral_code" in first:  # a profile, which changes
        first = {"member_id": first["member_id"]}
    if "review_id" in first and "entry" in again:  # it was asked for, and has been approved since
        first = {"entry": again["entry"]}
    passing = OF_NOW if "redemption_id" in first else OF_NOW | MAY_CHANGE
    kept = {name: value for name, value in first.items() if name not in passing}
    assert says(again, kept), (kept, again)
    return kept


def in_this_edition(recorded: Mapping[str, Any], *, is_partners: bool) -> Mapping[str, Any]:
    """A recorded answer as this edition of the contract has it.

    A voucher is there while it is captured alone. A partner gets the entry, without what it tells of the account.
    """
    if is_partners and "entry" in recorded:
        entry = {name: value for name, value in recorded["entry"].items() if name not in OF_ACCOUNT}
        return {"entry": entry}
    shows_too_much = "voucher_code" in recorded and recorded["state"] != "captured"
    return {**recorded, "voucher_code": None} if shows_too_much else recorded


def says(answer: Any, recorded: Any) -> bool:
    """Whether an answer says all that was recorded. It may say more: fields are added to answers."""
    if isinstance(recorded, dict):
        return isinstance(answer, dict) and all(
            name in answer and says(answer[name], value) for name, value in recorded.items()
        )
    if isinstance(recorded, list):
        return (
            isinstance(answer, list)
            and len(answer) == len(recorded)
            and all(says(one, other) for one, other in zip(answer, recorded, strict=True))
        )
    return bool(answer == recorded)
