"""What agents are told of an earning before it is one."""

from shared.domain.entry import Piece
from shared.domain.telling.agents_block import Benefit, TierBlock, forecast


def piece(rule_id: str, points: int) -> Piece:
    return Piece(rule_id=rule_id, points=points, description=f"by {rule_id}")


def test_a_forecasts_lines_add_up_and_none_is_negative() -> None:
    tier = TierBlock(id="gold", name="Gold", benefits=(Benefit(id="tier:gold", description="More"),))
    pieces = [piece("base", 10), piece("tier:gold", 5), piece("none", 0), piece("late", 4), piece("cap", -7)]
    told = forecast(pieces, [tier])
    assert told.amount == 12
    assert [(line.id, line.amount, line.benefit_id, line.description) for line in told.breakdown] == [
        ("base", 10, None, "by base"),
        ("tier:gold", 2, "tier:gold", "by tier:gold"),
        ("cap", 0, None, "by cap"),
    ]


def test_what_is_cut_to_nothing_is_forecast_as_nothing() -> None:
    assert forecast([piece("base", 3), piece("cap", -5)], []).amount == 0
