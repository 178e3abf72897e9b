"""Many callers at once on a few members, through the functions and on a real engine, and what they were answered."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from infra.bench.world import Reply, World, unique
from shared import clock
from shared.caller import OPERATOR
from tests.system.races.linearizability import Operation
from tests.system.races.model import Call, Seen

PROGRAM: dict[str, Any] = {
    "earning": {"points": 1, "per_amount": 100, "description": "1 point per dollar", "rounding": "down"},
    "expiry": {"kind": "never"},
    "tiers": {
        "measure": "points",
        "period": "rolling_12_months",
        "down": "one_step",
        "levels": [{"tier_id": "all", "name": "All", "threshold": 0}],
    },
    "redeeming": {"points_as_money": {"points": 1, "amount": 1}, "hold_minutes": 60, "returned_points_grace_days": 0},
    "transfers": {},
}
TRIES_MAX = 40
KINDS = (
    "earn",
    "refund",
    "unrefund",
    "amend",
    "claim",
    "reserve",
    "capture",
    "cancel",
    "reverse",
    "reverse_part",
    "adjust",
    "undo",
    "transfer",
    "read",
)
REMEMBERED = 6
"""Names that callers pick from: few, so that they meet."""

History = list[Operation[Call]]


@dataclass(frozen=True)
class _Asked:
    """A request as it is sent, and sent again."""

    call: Call
    function: str
    path: str
    body: Any = None
    key: str = ""
    scope: str = "loyalty/storefront"


class Traffic:
    """`pairs` of members; each sends points only to the other."""

    def __init__(self, world: World, pairs: int, seed: int) -> None:
        self._world = world
        self._seed = seed
        self._pairs = [(world.enroll(), world.enroll()) for _ in range(pairs)]
        self.histories: list[History] = [[] for _ in range(pairs)]
        self.outcomes = Counter[str]()
        self._orders: list[list[tuple[int, str, Any]]] = [[] for _ in range(pairs)]
        self._redemptions: list[list[tuple[int, str, str]]] = [[] for _ in range(pairs)]
        self._adjustments: list[list[tuple[int, str, str]]] = [[] for _ in range(pairs)]
        self._noting = threading.Lock()

    def run(self, threads: int, each: int) -> None:
        """Have every thread make so many requests."""
        with ThreadPoolExecutor(threads) as callers:
            for done in [callers.submit(self._call, number, each) for number in range(threads)]:
                done.result()

    def _call(self, number: int, each: int) -> None:
        random = Random(f"{self._seed}/{number}")  # noqa: S311 - the same for the same seed, guards nothing
        for _ in range(each):
            pair = random.randrange(len(self._pairs))
            self._send(pair, self._asked(pair, random.choice(KINDS), random))

    def _send(self, pair: int, asked: _Asked) -> None:
        called = time.monotonic()
        method = "POST" if asked.call.kind != "read" else "GET"
        for _ in range(TRIES_MAX):
            reply = self._world.call(asked.function, method, asked.path, asked.body, scope=asked.scope, key=asked.key)
            if reply.status != 503:
                break
        self._note(pair, asked, reply, called, time.monotonic())

    def _note(self, pair: int, asked: _Asked, reply: Reply, called: float, returned: float) -> None:
        call = asked.call
        code = reply.body.get("code", "replayed" if "Idempotency-Replayed" in reply.headers else "done")
        with self._noting:
            self.outcomes[f"{call.kind} {code}"] += 1
            history = self.histories[pair]
            if reply.status == 503:
                history.append(Operation(_like(call, is_unknown=True), called, None))
            elif reply.status // 100 != 2:
                history.append(Operation(_like(call, refused=code), called, returned))
            elif code == "replayed":  # it was done some time, and the account is shown as of another
                history.append(Operation(call, called, returned))
                history.append(Operation(Call("read", call.member, saw=_seen(reply)), called, returned))
            else:
                history.append(Operation(_like(call, saw=_seen(reply)), called, returned))
            if call.kind == "reserve" and reply.status // 100 == 2:
                self._redemptions[pair].append((call.member, call.name, reply.body["redemption_id"]))
            if call.kind == "adjust" and reply.status // 100 == 2:
                self._adjustments[pair].append((call.member, call.name, reply.body["entry"]["entry_id"]))

    def _asked(self, pair: int, kind: str, random: Random) -> _Asked:
        member = random.randrange(2)
        if kind == "earn":
            return self._earn(pair, member, random)
        if kind in {"refund", "unrefund", "amend", "claim"} and self._orders[pair]:
            return self._change(pair, kind, random)
        if kind in {"capture", "cancel", "reverse", "reverse_part"} and self._redemptions[pair]:
            return self._end(pair, kind, random)
        if kind == "undo" and self._adjustments[pair]:
            member, name, entry_id = random.choice(self._adjustments[pair][-REMEMBERED:])
            path = f"{self._path(pair, member)}/entries/{entry_id}/undo"
            return _Asked(Call("undo", member, name), "operators", path, {"reason": "a race"}, scope=OPERATOR)
        if kind in {"reserve", "adjust", "transfer"}:
            return self._move(pair, member, kind, random)
        return _Asked(Call("read", member), "account", f"{self._path(pair, member)}/account")

    def _move(self, pair: int, member: int, kind: str, random: Random) -> _Asked:
        name, path = unique(kind), self._path(pair, member)
        points = random.choice((-25, -5, 5, 30)) if kind == "adjust" else random.randint(1, 50)
        call = Call(kind, member, name, points)
        if kind == "reserve":
            body: Any = {"points": points, "order_total": 100_000, "currency": "USD"}
            return _Asked(call, "redeem", f"{path}/redemptions", body, name)
        if kind == "adjust":
            body = {"points": points, "reason": "a race", "reference": name}
            return _Asked(call, "operators", f"{path}/adjustments", body, scope=OPERATOR)
        body = {"to_member_id": self._pairs[pair][1 - member], "points": points}
        return _Asked(call, "transfers", f"{path}/transfers", body, name, OPERATOR)

    def _change(self, pair: int, kind: str, random: Random) -> _Asked:
        """An order comes back in part, is kept after all, is amended, or claimed by either of the two."""
        member, order_id, order = random.choice(self._orders[pair][-REMEMBERED:])
        member = random.randrange(2) if kind == "claim" or random.randrange(4) == 0 else member
        refund_id, path = f"r{random.randrange(3)}", self._path(pair, member)
        if kind == "refund":
            body = {"order_id": order_id, "refund_id": refund_id, "amount": 1_050, "refunded_at": order["placed_at"]}
            return _Asked(Call("refund", member, f"{order_id}/{refund_id}", 1_050), "orders", f"{path}/refunds", body)
        if kind == "unrefund":
            call = Call("unrefund", member, f"{order_id}/{refund_id}")
            return _Asked(call, "orders", f"{path}/refunds/{refund_id}/reverse", {"order_id": order_id})
        name = unique(kind)
        if kind == "claim":
            body = {"claim_id": name, "reason": "a race"}
            call = Call("claim", member, order_id, part=name)
            return _Asked(call, "orders", f"{path}/orders/{order_id}/claim", body, scope=OPERATOR)
        total = random.choice((1_200, 4_444, 8_000))
        body = {"amendment_id": name, "amended_at": order["placed_at"], "total": total}
        return _Asked(
            Call("amend", member, order_id, total, part=name), "orders", f"{path}/orders/{order_id}/amend", body
        )

    def _end(self, pair: int, kind: str, random: Random) -> _Asked:
        member, name, redemption_id = random.choice(self._redemptions[pair][-REMEMBERED:])
        if kind != "reverse_part":
            path = f"{self._path(pair, member)}/redemptions/{redemption_id}/{kind}"
            return _Asked(Call(kind, member, name), "redeem", path)
        points = random.choice((2, 5, 12))
        part = f"v{points}"
        path = f"{self._path(pair, member)}/redemptions/{redemption_id}/reverse"
        body = {"reversal_id": part, "points": points}
        return _Asked(Call("reverse", member, name, points, part=part), "redeem", path, body)

    def _path(self, pair: int, member: int) -> str:
        return f"/v1/members/{self._pairs[pair][member]}"

    def _earn(self, pair: int, member: int, random: Random) -> _Asked:
        """A new order, or, of another caller's or its own, one again."""
        known = self._orders[pair][-REMEMBERED:]
        if known and random.randrange(3) == 0:
            member, name, body = random.choice(known)
        else:
            name, total = unique("order"), random.choice((990, 2_500, 7_300))
            body = {"type": "order", "order_id": name, "placed_at": clock.now().isoformat(), "currency": "USD"}
            body["total"] = total
            with self._noting:
                self._orders[pair].append((member, name, body))
        return _Asked(Call("earn", member, name, body["total"]), "earn", f"{self._path(pair, member)}/earn", body)


def _like(call: Call, *, refused: str = "", saw: Seen | None = None, is_unknown: bool = False) -> Call:
    return replace(call, refused=refused, saw=saw, is_unknown=is_unknown)


def _seen(reply: Reply) -> Seen:
    account = reply.body.get("account", reply.body)
    return Seen(account["balance"], account["held"], account["debt"])
