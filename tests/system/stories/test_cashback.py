"""Money back on orders: earned, spent, returned, paid out."""

from tests.system.conftest import Server
from tests.system.stories.program import use_program


def test_ten_cents_for_each_dollar(server: Server) -> None:
    use_program(server, cashback={"amount": 10, "per_amount": 100, "minimum_payout": 500, "order_share_percent": 50})
    ada = server.enroll("cashback-ada")
    path = f"/v1/members/{ada}/credit"

    def credit() -> int:
        return int(server.call("GET", path).json()["balance"]["amount"])

    earned = server.order(ada, "CB-1", 20_000).json()
    assert earned["entry"]["points"] == 200
    assert server.call("GET", path).json()["balance"] == {"amount": 2000, "currency": "USD"}

    spend = {"credit": 700, "order_total": 1400, "currency": "USD", "order_id": "CB-2"}
    held = server.post(f"/v1/members/{ada}/redemptions", spend, key="cb-basket").json()
    assert (held["state"], held["points"], held["value"]) == ("reserved", 0, {"amount": 700, "currency": "USD"})
    assert server.call("GET", path).json()["held"]["amount"] == 700
    captured = server.post(f"/v1/members/{ada}/redemptions/{held['redemption_id']}/capture").json()
    assert (captured["state"], credit()) == ("captured", 1300)

    now = server.http.get("/_local/clock").json()["now"]
    refund = {"order_id": "CB-1", "refund_id": "CB-R", "amount": 5_000, "refunded_at": now}
    assert server.post(f"/v1/members/{ada}/refunds", refund).status_code == 201
    assert (credit(), server.account(ada)["balance"]) == (800, 150)

    payout = {"amount": 600, "currency": "USD", "to": "cash", "reference": "CB-P"}
    refused = server.post(f"{path}/payouts", payout).json()
    assert (refused["code"], refused["errors"][0]["pointer"]) == ("invalid_request", "/to")
    paid = server.post(f"{path}/payouts", {**payout, "to": "store_credit"})
    assert (paid.status_code, paid.json()["credit"]["balance"]["amount"]) == (201, 200)
    again = server.post(f"{path}/payouts", {**payout, "to": "store_credit"})
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")

    ledger = server.call("GET", f"{path}/entries").json()["items"]
    assert [entry["type"] for entry in ledger] == ["payout", "refund", "capture", "reserve", "earn", "enroll"]
    assert server.is_sound()
