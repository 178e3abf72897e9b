"""Members to begin with: real purchases, moved to the present, of people with made-up names."""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from infra.tools.purchases import Purchase, read
from infra.tools.storefront import RefusedError, Storefront
from shared import runtime
from shared.tables import due_index, programs, upkeep

PURCHASES = Path(__file__).parent / "data" / "purchases.csv"
NAMES = PURCHASES.with_name("names.txt")
_REDEEMS_EVERY = 4
_REWARD_ID, _REWARD_POINTS = "free-coffee", 150


def seed(until: datetime) -> str:
    """Enroll a few dozen members whose last purchase was just before `until`; the id of one to show.

    Whole weeks are added to the purchases' days, so that weekdays stay what they were.
    """
    purchases = [line for line in read(PURCHASES, programs.load_program().time_zone) if isinstance(line, Purchase)]
    weeks = (until - max(purchase.at for purchase in purchases)) // timedelta(weeks=1)
    shop = Storefront("seed")
    members: dict[str, str] = {}
    sample = ""
    names = NAMES.read_text().split()
    now = until
    with runtime.use(clock=lambda: now):
        for number, purchase in enumerate(purchases):
            now = purchase.at + timedelta(weeks=weeks)
            if purchase.customer not in members:
                members[purchase.customer] = _enroll(shop, purchase.customer, names[len(members) % len(names)])
            member_id = members[purchase.customer]
            sample = sample or member_id
            booked = shop.earn(
                member_id,
                {
                    "order_id": purchase.order_id,
                    "placed_at": now.isoformat(),
                    "currency": programs.load_program().currency,
                    "total": purchase.amount,
                    "channel": "web",
                },
            )
            if number % _REDEEMS_EVERY == 0 and booked.accounts[0].balance >= _REWARD_POINTS:
                _redeem(shop, member_id, purchase.order_id)
    for member_id in members.values():
        upkeep.catch_up(member_id, until)
    due_index.note_day(due_index.EXPIRY_RUN, until.date())
    return sample


def _enroll(shop: Storefront, customer: str, name: str) -> str:
    details = {
        "external_id": f"shop-{customer}",
        "email": f"{name.lower()}@example.com",
        "name": name,
        "consent": {"terms_version": "2026-01", "marketing": {"email": True, "sms": False}},
        "channel": "web",
    }
    return shop.enroll(f"seed:{customer}", **details).member.member_id


def _redeem(shop: Storefront, member_id: str, key: str) -> None:
    # A shop's own program may have no such reward.
    with suppress(RefusedError):
        shop.redeem(member_id, f"seed:{key}", reward_id=_REWARD_ID, capture=True)
