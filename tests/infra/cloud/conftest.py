"""The stack as each stage gets it, synthesized once for all tests and all processes that run them."""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.app import synthesize
from infra.cloud.whole_template import whole_template
from tests.functions.conftest import database, moto, shop, wire

__all__ = ["database", "moto", "shop", "wire"]

Resources = Mapping[str, Mapping[str, Any]]


PROD = {
    "alarm_email": "ops@shop.example",
    "callback_urls": "https://shop.example/callback",
    "sender_email": "club@shop.example",
    "sender_domain": "shop.example",
}
"""What production is not made without."""
BUSY = {
    "due_shards": "32",
    "expiry_workers": "200",
    "birthday_workers": "6",
    "reminder_workers": "40",
    "statement_workers": "7",
    "webhook_workers": "300",
    "stream_workers": "10",
    "stream_memory_mb": "1769",
    "route_requests_per_second": "2500",
    "till_calls_reserved": "300",
    "warm_table_writes": "16000",
    "warm_index_writes": "4000",
}
"""Options of a shop with much traffic."""
SHOP = "cafe"
"""Another shop in the same account."""


class Template:
    """A synthesized stack: all that it makes, and apart, by file, what CloudFormation counts as one stack's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        folder, stack = path.parent, path.name.removesuffix(".template.json")
        self.resources: Resources = whole_template(folder, stack)["Resources"]
        self.paths = (path, *sorted(folder.glob("*.nested.template.json")))

    def apart(self) -> Mapping[str, Resources]:
        """The resources of the stack itself and of each inside it, by their files' names."""
        return {one.name: json.loads(one.read_text())["Resources"] for one in self.paths}

    def of(self, type_: str) -> list[Mapping[str, Any]]:
        """The resources of a type."""
        return [resource for resource in self.resources.values() if resource["Type"] == type_]

    def properties(self, type_: str) -> list[Mapping[str, Any]]:
        """What the resources of a type are like."""
        return [resource["Properties"] for resource in self.of(type_)]


def metrics_of(alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What an alarm looks at: one metric, or those that its expressions are made of."""
    if "MetricName" in alarm:
        return [alarm]
    return [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]


@pytest.fixture(scope="session")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template(_synthesized_once(tmp_path_factory, stage="prod", **PROD))


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Template:
    issuer = {"issuer": "https://login.example", "audiences": "loyalty, till"}
    context = {
        "name": SHOP,
        "domain": "loyalty.shop.example",
        "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/1",
        "allowed_origins": "https://shop.example",
        **issuer,
        **BUSY,
    }
    return Template(_synthesized_once(tmp_path_factory, stage="dev", **context))


def _synthesized_once(temporary: pytest.TempPathFactory, *, stage: str, **context: str) -> Path:
    """The stage's template: whichever process asks first makes it for all of this run."""
    here = temporary.getbasetemp()
    shared = here.parent if here.name.startswith("popen-") else here  # what pytest-xdist names its workers' folders
    folder = shared / f"stack-{stage}"
    with (shared / f"stack-{stage}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _templates(folder)
        if not found:
            making = temporary.mktemp("stack")
            synthesize(making, stage=stage, **context)
            making.rename(folder)
            found = _templates(folder)
    [path] = found
    return path


def _templates(folder: Path) -> list[Path]:
    """The stack's own, without those of stacks inside it."""
    return [path for path in folder.glob("*.template.json") if ".nested." not in path.name]
