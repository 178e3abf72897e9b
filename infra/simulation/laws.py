"""What every entry must obey, beside the sums: told from the entry, the account before it, and other entries.

Each law is written anew from the contract, not from the code that it checks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from math import ceil, floor
from zoneinfo import ZoneInfo

from infra.simulation.books import Booked, Books, Raw, Sale, Tally, added, name_of
from shared.domain.entry_types import of
from shared.domain.program.program import Program
from shared.domain.subaccounts import pool_account_of

NEVER = "never"


def check(books: Books, entries: Sequence[Booked]) -> None:
    """Hold a commit's entries against the laws, and take them into the books."""
    for booked in entries:
        tally = books.tally(booked.raw["member_id"])
        for breach in _breaches(books, booked, tally, entries):
            books.breach(f"{name_of(booked)}, {booked.raw['type']}: {breach}")
        books.add(booked)
        for breach in _afterwards(booked, tally):
            books.breach(f"{name_of(booked)}, {booked.raw['type']}: {breach}")
    crossing = sum(
        net(booked.raw) + expired(booked.raw) + kept_back(booked.raw)
        for booked in entries
        if of(booked.raw["type"]).pair
    )
    if crossing:
        books.breach(f"{crossing} points came from nowhere: {[name_of(booked) for booked in entries]}")
    if any(of(booked.raw["type"]).made_by != "time" for booked in entries):
        for booked in {booked.raw["member_id"]: booked for booked in entries}.values():
            _check_settled(books, booked.raw)


def net(raw: Raw) -> int:
    """How many points more or less the entry leaves, debt counting against them."""
    buckets: int = sum(raw.get("lots", {}).values()) + sum(raw.get("pending", {}).values())
    opened: int = sum(hold["points"] for hold in raw.get("opened", {}).values())
    closed: int = sum(hold["points"] for hold in raw.get("closed", {}).values())
    debt: int = raw.get("debt", 0)
    return buckets + opened - closed - debt


def expired(raw: Raw) -> int:
    """How many points have expired with the entry."""
    return sum(raw.get("expired", {}).values())


def kept_back(raw: Raw) -> int:
    """How many points the entry keeps back, as they were forgiven when what had brought them was returned."""
    forgiven: int = sum(raw.get("forgiven_lots", {}).values())
    return -forgiven


def _breaches(books: Books, booked: Booked, tally: Tally, together: Sequence[Booked]) -> Iterable[str]:
    raw, kind = booked.raw, booked.raw["type"]
    if booked.key in books.booked:
        yield "it exists already"
    if tally.status in {"merged", "erased", "lapsed"} and (kind != "refund" or tally.status == "merged"):
        yield f"the account was {tally.status}"
    for name in raw.get("closed", {}):
        if name not in tally.holds:
            yield f"the hold {name} is not open"
    yield from _against_its_row(books, raw, tally)
    if kind in _OF_A_KIND:
        yield from _OF_A_KIND[kind](books, raw, tally, together)
    elif kind == "earn" and "order" in raw:
        books.sales[raw["source"]["order_id"], "~" in tally.member_id] = Sale(raw)
    yield from _stock(books, raw)
    yield from _payments(books, raw)


def _against_its_row(books: Books, raw: Raw, tally: Tally) -> Iterable[str]:
    """What the row of the entry's type promises and the entry does not keep."""
    row = of(raw["type"])
    if tally.frozen and row.spends:
        yield "the account is frozen"
    if row.effect == "net" and net(raw) != raw["points"]:
        yield f"says {raw['points']} points and moves {net(raw)}"
    forgiven = kept_back(raw)
    if row.effect == "inside" and net(raw) != -expired(raw) - forgiven:
        yield f"makes {net(raw)} points, of which {expired(raw)} have expired and {forgiven} were forgiven"
    if row.gives_back:
        yield from _gives_back(books, raw, tally)


def _afterwards(booked: Booked, tally: Tally) -> Iterable[str]:
    raw = booked.raw
    if any(points < 0 for points in (*tally.lots.values(), *tally.pending.values(), tally.debt)):
        yield f"something is negative: {tally.lots}, {tally.pending}, {tally.debt}"
    if tally.debt and tally.lots:
        yield f"{tally.debt} are owed beside {tally.lots}"
    if of(raw["type"]).spends or (raw["type"] == "adjust" and raw["points"] < 0):
        holds = raw.get("opened", {})
        taken = [day for hold in holds.values() for day in hold["lots"]]
        taken = taken or [day for day, points in raw.get("lots", {}).items() if points < 0]
        if taken and any(day < max(taken) for day in tally.lots):
            yield f"took {taken} and left {tally.lots}: not what expires soonest"


def _gives_back(books: Books, raw: Raw, tally: Tally) -> Iterable[str]:
    """Points go back to their own lots and settle what is owed first, but those that were forgiven with their order.

    Of those past their day, the shop gives back what has had no grace and whose grace is not over.
    """
    [hold] = (raw.get("reversed") or raw["closed"]).values()
    ended = raw.get("closed", {}).keys() - raw.get("opened", {}).keys()
    opened = next((tally.holds[name] for name in ended if name in tally.holds), hold)
    today, forgiven = books.today(raw, "occurred_at"), raw.get("forgiven_lots", {})
    if any(not 0 <= -points <= tally.forgiven.get(day, 0) for day, points in forgiven.items()):
        yield f"keeps {forgiven} back, forgiven are {tally.forgiven}"
    back = _unforgiven(opened["lots"], forgiven)
    is_shop = raw.get("actor", "").partition(":")[0] in {"storefront", "operator"}
    living, gone = returned(books, raw, tally, back, today, is_shop=is_shop)
    lots, debt = settled(tally.debt, living)
    came = raw.get("lots", {})
    if raw.get("prolonged"):  # all has come back, and has been no activity: its points have other days
        came, lots = ({"": sum(one.values())} for one in (came, lots))
    if (came, raw.get("debt", 0), raw.get("expired", {})) != (lots, debt, gone):
        found = f"{raw.get('lots', {})}, debt {raw.get('debt', 0)} and {raw.get('expired', {})} expired"
        yield f"gave back {found}, not {lots}, {debt} and {gone}"


def _unforgiven(lots: Mapping[str, int], forgiven: Mapping[str, int]) -> dict[str, int]:
    """Held lots without those that were forgiven, which the signed change of the notes of that says."""
    back = dict(lots)
    for noted, points in forgiven.items():
        back = added(back, {noted.partition("@")[0]: points})
    if missing := -sum(points for points in back.values() if points < 0):  # activity had given them other days
        back, _ = settled(missing, {day: points for day, points in back.items() if points > 0})
    return back


def _hands_over(books: Books, raw: Raw, tally: Tally, together: Sequence[Booked]) -> Iterable[str]:
    """What arrives has the dates of what left."""
    other = "transfer_out" if raw["type"] == "transfer_in" else "gift_out"
    [out] = [booked.raw for booked in together if booked.raw["type"] == other] or [{}]
    lots = {day: -points for day, points in out.get("lots", {}).items()}
    for hold in out.get("closed", {}).values():
        held = _unforgiven(hold["lots"], out.get("forgiven_lots", {}))
        lots, gone = returned(books, out, books.tally(out["member_id"]), held, books.today(out), is_shop=False)
        if gone != out.get("expired", {}):
            yield f"{out.get('expired', {})} expired on the way, not {gone}"
        lots, _ = settled(-out.get("debt", 0), lots)
        giver = books.tally(out["member_id"])
        owed = giver.debt + (out.get("debt", 0) if giver.sequence < out["sequence"] else 0)
        if lots and owed:
            yield f"{lots} were handed over by somebody who owes {owed}"
    lots, debt = settled(tally.debt, moved(tally, lots, books.today(raw)))
    if (raw.get("lots", {}), raw.get("debt", 0)) != (lots, debt):
        yield f"brought {raw.get('lots', {})} and debt {raw.get('debt', 0)}, not {lots} and {debt}"


def _changes_order(books: Books, raw: Raw, tally: Tally, _: Sequence[Booked]) -> Iterable[str]:
    """An order earns, after any changes of it, what its kept part would have earned, rounded once."""
    order_id, is_wallet, kind = raw["source"]["order_id"], "~" in tally.member_id, raw["type"]
    sale, of_points = books.sales.get((order_id, is_wallet)), books.sales.get((order_id, False))
    if sale is None or of_points is None:
        yield f"no order {order_id} was credited"
        return
    before, refunded = _earns(sale), of_points.refunded if is_wallet else raw.get("refunded", sale.refunded)
    is_fitting = {"refund": sale.refunded < refunded, "refund_reversal": refunded < sale.refunded}.get(kind, True)
    after = None if kind == "claim_out" else Sale(raw if kind in {"claim_in", "amend"} else sale.raw, refunded)
    if not is_fitting or (after and not 0 <= refunded <= after.raw["order"]["total"]):
        yield f"{refunded} of {sale.raw['order']['total']} returned after {sale.refunded}"
        return
    if kind == "claim_in":
        before = 0
    if after is not None:
        books.sales[order_id, is_wallet] = after
    is_gone = tally.status in {"erased", "lapsed"}
    if raw.get("unbooked") or is_gone:  # the account of a member who is gone stays as it was closed
        if raw["points"] or not is_gone:
            unbooked = raw.get("unbooked", 0)
            yield f"{raw['points']} points are booked and {unbooked} not, to an account that is {tally.status}"
        return
    lapsed, forgiven = sum(raw.get("lapsed", {}).values()), raw.get("forgiven", 0)
    change = (_earns(after) if after else 0) - before
    expected = change + lapsed + forgiven - expired(raw)
    if raw["points"] != (max(0, expected) if change > 0 else expected):
        yield f"changes {raw['points']} points, the order earns {change} more; {lapsed} lapsed, {forgiven} forgiven"
    if change < 0:
        yield from _untaken(books, raw, tally, lapsed, forgiven)


def _earns(sale: Sale) -> int:
    return kept(sale.raw, sale.raw["order"]["total"] - sale.refunded)


def _pools_of(books: Books, tally: Tally) -> set[str]:
    """The pools that a member has ever shared in, or anybody merged into them."""
    pools = {booked.raw["source"]["pool_id"] for booked in tally.entries if booked.raw["type"] == "pool_join"}
    merged = [booked.raw["source"]["from"] for booked in tally.entries if booked.raw["type"] == "merge_in"]
    return pools.union(*(_pools_of(books, books.tally(one)) for one in merged))


def _untaken(books: Books, raw: Raw, tally: Tally, lapsed: int, forgiven: int) -> Iterable[str]:
    """What is not taken back has expired, or is forgiven by a program that forgives."""
    pools = _pools_of(books, tally)
    expired = tally.lapsed + sum(books.tally(pool_account_of(pool)).lapsed for pool in pools)
    if not 0 <= lapsed <= expired:
        yield f"{lapsed} points count as expired, {expired} have"
    if forgiven < 0 or (forgiven and books.program_of(raw).refund_debt == "allowed"):
        yield f"{forgiven} points are forgiven"


def _matures(books: Books, raw: Raw, tally: Tally, _: Sequence[Booked]) -> Iterable[str]:
    day = raw["available_on"]
    waiting = {key: points for key, points in tally.pending.items() if key.startswith(f"{day}/")}
    if day > books.today(raw) or {key: -points for key, points in waiting.items()} != raw.get("pending", {}):
        yield f"matured {raw.get('pending', {})} of {tally.pending}"
    incoming: dict[str, int] = {}
    for key, points in waiting.items():
        incoming = added(incoming, arriving(books, raw, tally, {key.split("/")[1]: points}, day))
    lots, debt = settled(tally.debt, incoming)
    if (raw.get("lots", {}), raw.get("debt", 0)) != (lots, debt):
        yield f"matured into {raw.get('lots', {})} and debt {raw.get('debt', 0)}, not {lots} and {debt}"


def _expires(books: Books, raw: Raw, tally: Tally, _: Sequence[Booked]) -> Iterable[str]:
    day = raw["expires_on"]
    if not day < books.today(raw):
        yield f"expired on {books.today(raw)}, its last day is {day}"
    ending = {lot: -points for lot, points in tally.lots.items() if lot.removesuffix("+") == day}
    if not ending or raw.get("lots", {}) != ending:
        yield f"expired {raw.get('lots', {})} of {tally.lots}"


def _reverses(books: Books, raw: Raw, _: Tally, __: Sequence[Booked]) -> Iterable[str]:
    """All parts of a redemption that come back are no more than was taken."""
    for name, hold in raw["reversed"].items():
        [taken] = books.booked[f"REDEMPTION#{name}", "CAPTURE"].raw["closed"].values()
        back = books.returned.get(name, 0) + hold["points"]
        if not 0 < back <= taken["points"] or raw.get("returned", {"points": back})["points"] != back:
            yield f"{back} of {taken['points']} came back"


_OF_A_KIND: Mapping[str, Callable[[Books, Raw, Tally, Sequence[Booked]], Iterable[str]]] = {
    "transfer_in": _hands_over,
    "gift_in": _hands_over,
    **dict.fromkeys(("refund", "refund_reversal", "amend", "claim_out", "claim_in"), _changes_order),
    "reverse": _reverses,
    "maturity": _matures,
    "expiry": _expires,
}
"""The laws of one type of entry each."""


def _stock(books: Books, raw: Raw) -> Iterable[str]:
    for reward_id, change in raw.get("stock", {}).items():
        reward = books.program_of(raw).reward(reward_id)
        taken = books.stock.get(reward_id, 0) - change
        if taken < 0 or (change < 0 and reward is not None and reward.stock is not None and taken > reward.stock):
            yield f"{taken} pieces of {reward_id} are taken"
    ended = {name: hold for name, hold in raw.get("closed", {}).items() if name not in raw.get("opened", {})}
    for name, hold in {**ended, **raw.get("reversed", {})}.items():
        is_back = of(raw["type"]).gives_back and hold.get("stocked", False)
        if is_back and raw.get("stock", {}) != {hold["reward_id"]: 1}:
            yield f"the piece of {name} was not put back"


def _payments(books: Books, raw: Raw) -> Iterable[str]:
    """All redemptions of an order together pay no more than it comes to."""
    new = raw.get({"reserve": "opened", "capture": "closed"}.get(raw["type"], ""), {})
    for name, hold in new.items():
        if hold.get("unconfirmed", False) == (raw["type"] == "reserve"):
            continue
        paid = sum(books.payments.get(hold.get("order_id", ""), {}).values())
        if "order_total" in hold and paid + hold["value"] > hold["order_total"]:
            yield f"{name} pays {hold['value']} after {paid} of an order of {hold['order_total']}"


def _check_settled(books: Books, raw: Raw) -> None:
    """Whatever time has done by then is booked before anything else."""
    tally, today = books.tally(raw["member_id"]), books.today(raw)
    if late := is_late(tally, today, raw["recorded_at"]):
        books.breach(f"{tally.member_id}-{raw['sequence']}: time had done something to {late}, which is not booked")


def is_late(tally: Tally, today: str, now: str) -> list[str]:
    """What of an account time should have changed by now."""
    if tally.status not in {"active", "provisional"}:
        return []
    late = [day for day in tally.lots if day < today]
    late += [key for key in tally.pending if key.split("/")[0] <= today]
    return [*late, *(name for name, hold in tally.holds.items() if hold["expires_at"] <= now)]


def zone_of(program: Program) -> ZoneInfo:
    """Where the program's days begin."""
    return ZoneInfo(program.time_zone)


def arriving(books: Books, raw: Raw, tally: Tally, lots: Mapping[str, int], today: str) -> dict[str, int]:
    """Lots that somebody first gets on a day: those whose own day has passed get the grace days."""
    opens = opens_on(tally, today)
    late = max(opens, later(today, books.program_of(raw).redeeming.returned_points_grace_days))
    into: dict[str, int] = {}
    for day, points in lots.items():
        into = added(into, {day if day >= opens else late: points})
    return into


def moved(tally: Tally, lots: Mapping[str, int], today: str) -> dict[str, int]:
    """Lots that come from another account on a day, and keep theirs."""
    opens, into = opens_on(tally, today), dict[str, int]()
    for day, points in lots.items():
        into = added(into, {day if day >= opens else f"{opens}+": points})
    return into


def returned(
    books: Books, raw: Raw, tally: Tally, lots: Mapping[str, int], today: str, *, is_shop: bool
) -> tuple[dict[str, int], dict[str, int]]:
    """Lots that come back on a day, and those that have expired; a lot ending in + has had its grace."""
    opens, into, gone = opens_on(tally, today), dict[str, int](), dict[str, int]()
    for day, points in lots.items():
        if day >= opens:
            into = added(into, {day: points})
            continue
        late = later(day.removesuffix("+"), books.program_of(raw).redeeming.returned_points_grace_days)
        if is_shop and not day.endswith("+") and late >= opens:
            into = added(into, {f"{late}+": points})
        else:
            gone[day] = points
    return into, gone


def opens_on(tally: Tally, today: str) -> str:
    """The first day on which an account may have points: never one that it has booked as expired."""
    return max(today, later(tally.expired_through, 1)) if tally.expired_through else today


def later(day: str, days: int) -> str:
    """So many days after a day."""
    return str(date.fromisoformat(day) + timedelta(days=days))


def settled(debt: int, lots: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """What of incoming lots is kept, and the change of the debt that they settle, the soonest first."""
    owed, rest = debt, {}
    for day, points in sorted(lots.items()):
        pays = min(owed, points)
        owed -= pays
        if points > pays:
            rest[day] = points - pays
    return rest, owed - debt


def kept(earn: Raw, amount: int) -> int:
    """What an order would have earned on so much of it."""
    order = earn["order"]
    exact = Fraction(0)
    for piece in earn.get("breakdown", ()):
        if amount == 0 or amount < piece.get("minimum_spend", 0):
            continue
        whole = Fraction(piece.get("exact") or piece["points"])
        if not piece.get("flat") and amount != order["total"]:
            whole = whole * amount / order["total"]
        exact += whole if piece.get("cap") is None else min(whole, Fraction(piece["cap"]))
    how = order["rounding"]
    points = floor(exact + Fraction(1, 2)) if how == "nearest" else floor(exact) if how == "down" else ceil(exact)
    return points if order.get("cap") is None else min(points, order["cap"])
