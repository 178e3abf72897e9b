"""An account is one item, read and written by every operation: it has to stay small."""

from datetime import UTC, date, datetime, timedelta

from shared.domain.account import Account, Totals
from shared.domain.facets import Activity, Badge, Membership, Progress, Referred, TierByHand, TierStatus, Traits, Use
from shared.domain.lots import Hold
from shared.domain.vouchers import Voucher

BYTES_MAX = 4096
KEYS_AND_INDEXES_BYTES = 200
"""What stands in the item beside the account's state."""
NOW = datetime(2026, 11, 22, 18, 30, 15, 123456, tzinfo=UTC)
MONTHS = [f"{2025 + (month + 6) // 12}-{(month + 6) % 12 + 1:02}" for month in range(17)]
MEMBER = "lcmpkthvzd3qdlnlawgu"


def test_an_active_members_account_stays_below_four_kilobytes() -> None:
    lots = {(date(2026, 12, 1) + timedelta(days=30 * number)).isoformat(): 12_345 for number in range(24)}
    hold = Hold(
        points=2_400,
        lots=dict(list(lots.items())[:3]),
        expires_at=NOW,
        reward_id="gift-card-25",
        value=2_500,
        order_id="2026-11-22-000123456",
        limit_period="2026-11",
    )
    voucher = Voucher(reward_id="birthday-cake", code="7Q2K9-XW3HT-B5MJR", of=1, left=1, ends_on=date(2026, 12, 31))
    account = Account(
        member_id=MEMBER,
        sequence=1_234,
        lots=lots,
        pending={"2026-12-06/2027-12-31": 120, "2026-12-13/2027-12-31": 80},
        holds={f"{number}cmpkthvzd3qdlnlawgu5htbas": hold for number in range(2)},
        earned=987_654,
        totals=Totals(granted=987_654, captured=654_321, expired=12_345, taken_back=4_321, transferred_out=500),
        tier=TierStatus(tier_id="silver", since=date(2026, 3, 1), review_on=date(2027, 3, 1)),
        qualifying=dict.fromkeys(MONTHS, 12_345),
        qualifying_ever=987_654,
        uses={f"campaign:tea-weeks-{number}": Use(period="2026-11", times=3, points=150) for number in range(5)},
        matured_through=date(2026, 11, 20),
        expired_through=date(2026, 10, 31),
        enrolled_at=NOW,
        booked_at=NOW,
        traits=Traits(tags=("tea", "vip", "newsletter"), place="US-CA", opt_ins=("email", "sms")),
        activity=dict.fromkeys(MONTHS[-13:], Activity(orders=12, amount=123_456)),
        last_order_on=date(2026, 11, 20),
        progress={
            "regular": Progress(days=tuple(date(2026, 11, day) for day in range(1, 4))),
            "explorer": Progress(period="always", kinds=("coffee", "gift", "tea")),
        },
        badges={f"badge-{number}": Badge(on=date(2026, 11, 1), times=number) for number in range(1, 11)},
        membership=Membership(
            plan_id="plus",
            since=date(2025, 1, 1),
            paid_through=date(2026, 12, 31),
            term_began_on=date(2026, 1, 1),
            paid_on=date(2025, 12, 20),
            amount=4_900,
            tier_id="silver",
        ),
        tier_by_hand=TierByHand(tier_id="gold", until=date(2027, 1, 31)),
        vouchers={f"{number}mpkthvzd3qdlnlawgu5htbas4": voucher for number in range(2)},
        referred=Referred(advocate=MEMBER, state="rewarded", order_id="2026-11-22-000123456"),
    )
    size = len(account.model_dump_json(exclude_defaults=True))
    assert size < BYTES_MAX - KEYS_AND_INDEXES_BYTES, size
