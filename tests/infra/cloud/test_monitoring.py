"""The dashboard shows what is so, by metrics that somebody publishes."""

import json
from typing import Any

import pytest

from infra import tables
from infra.cloud.permissions import NEEDS
from tests.infra.cloud.conftest import Template

pytestmark = pytest.mark.stack

EXPRESSION_CHARACTERS_MAX = 2048
Widgets = dict[str, str]


@pytest.fixture(scope="module")
def widgets(prod: Template) -> Widgets:
    """The metrics of each widget as text, by its title."""
    [dashboard] = prod.properties("AWS::CloudWatch::Dashboard")
    parts: list[Any] = dashboard["DashboardBody"]["Fn::Join"][1]
    body = json.loads("".join(part if isinstance(part, str) else "reference" for part in parts))
    return {one["properties"]["title"]: json.dumps(one["properties"]["metrics"]) for one in body["widgets"]}


def test_cost_per_thousand_has_the_units_of_every_index_and_the_calls_of_every_function(widgets: Widgets) -> None:
    cost = widgets["Cost per thousand operations"]
    for index in tables.LOYALTY.indexes:
        assert f'"GlobalSecondaryIndexName", "{index.name}"' in cost
        for kind in ("Read", "Write"):
            assert f"FILL(loyalty{index.name.title()}{kind}, 0)" in cost
    for name in NEEDS:
        assert f"FILL({name}, 0)" in cost
        assert f"FILL({name}Calls, 0)" in cost
    # CloudWatch reads no exponents.
    assert "e-0" not in cost


def test_no_expression_is_longer_than_cloudwatch_reads(widgets: Widgets) -> None:
    expressions = [
        one["expression"]
        for metrics in widgets.values()
        for row in json.loads(metrics)
        for one in row
        if isinstance(one, dict) and "expression" in one
    ]
    assert len(expressions) > len(widgets)
    assert max(map(len, expressions)) <= EXPRESSION_CHARACTERS_MAX


def test_outstanding_points_are_the_published_total_and_what_changed_since(widgets: Widgets) -> None:
    [outstanding] = [metrics for title, metrics in widgets.items() if "outstanding" in title]
    for total in ("OutstandingPoints", "OutstandingLiability", "OutstandingCredit"):
        assert f'"{total}", "service", "loyalty-prod"' in outstanding
    [expression] = [one["expression"] for [one, *_] in json.loads(outstanding) if one and "REPEAT) +" in str(one)]
    truth = [500, 520, 470, 470, 600]
    change = Series({moment: total - 480 for moment, total in enumerate(truth)})
    points = Series({1: 520, 3: 470})
    names = {"points": points, "change": change, "FILL": repeated, "REPEAT": len(truth)}
    assert eval(expression, names) == {1: 520, 2: 470, 3: 470, 4: 600}  # noqa: S307 - it is ours


class Series(dict[int, float]):
    """Data points by moment; as in CloudWatch, what one of two series lacks their sum lacks as well."""

    def __add__(self, other: "Series") -> "Series":
        return Series({moment: self[moment] + other[moment] for moment in sorted(self.keys() & other.keys())})

    def __sub__(self, other: "Series") -> "Series":
        return Series({moment: self[moment] - other[moment] for moment in sorted(self.keys() & other.keys())})


def repeated(series: Series, moments: int) -> Series:
    """Each moment's last data point, from the first one on."""
    filled = Series()
    for moment in range(min(series), moments):
        filled[moment] = series.get(moment, filled.get(moment - 1, 0))
    return filled
