"""Work on whole tables in the cloud: the same commands and the same `work(part)` as on one machine.

A function goes through a command until it comes to a stage whose parts are not worked on yet. It leaves the parts in a
bucket and says so; a Distributed Map hands each to another function, which leaves the result there. Then the command is
gone through again, and finds those results. What happens only once is kept there, too. So a command ends with its
report, and a run that broke goes on from what is finished.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3

from infra.tools import parts, publish_totals, verify
from infra.tools.parts import FailedPartsError, Part, Results, Run, Work, digest
from shared import settings
from shared.tables import client, programs

BUCKET = "RUNS_BUCKET"
"""The setting that names the bucket."""
READERS = 16
"""Results are read by so many at once: each is an object of its own."""
ARN = "WholeTablesArn"
"""The stack's output that names the state machine."""

WORKS: Mapping[str, Work] = {
    "look": verify.look_part,
    "check": verify.check_part,
    "find": verify.find_part,
}
"""What a part can be worked on by, under the name that it has in a run."""
_NAMES = {work: name for name, work in WORKS.items()}


class PartsWaitingError(Exception):
    """A stage's parts are not worked on yet."""

    def __init__(self, stage: str, work: str) -> None:
        super().__init__(stage)
        self.stage = stage
        self.work = work


@dataclass(frozen=True)
class CloudRun(Run):
    """A run whose parts are worked on by other functions. `folder` is where the bucket keeps what is finished."""

    bucket: Any = None

    def through(self, stage: str, work: Work, parts: Iterable[Part]) -> Results:
        """As a run of one machine. Raises PartsWaitingError until the parts were worked on."""
        place = f"{self.folder}/{stage}"
        if not self.bucket.has(f"{place}/parts.json"):
            self.bucket.put(f"{place}/parts.json", [{"part": part, "digest": digest(part)} for part in parts])
            raise PartsWaitingError(stage, _NAMES[work])
        wanted = self.bucket.get(f"{place}/parts.json")
        finished = self.bucket.names(f"{place}/results/")
        failed = [
            (one["part"]["name"], "see the log of its function") for one in wanted if one["digest"] not in finished
        ]
        if failed:
            raise FailedPartsError(failed, len(wanted))
        return _Finished(self.bucket, [f"{place}/results/{one['digest']}" for one in wanted])

    def once(self, name: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - JSON
        """What `make` returned the first time in this run."""
        place = f"{self.folder}/once/{name}.json"
        if not self.bucket.has(place):
            self.bucket.put(place, make())
        return self.bucket.get(place)


class _Finished(Results):
    """The results of a stage, each an object."""

    def __init__(self, bucket: "Bucket", places: list[str]) -> None:
        self._bucket = bucket
        self._places = places

    def __iter__(self) -> Iterator[Any]:
        """The results, in the order of their parts."""
        with ThreadPoolExecutor(READERS) as readers:
            yield from readers.map(self._bucket.get, self._places)


class Bucket:
    """JSON in a bucket."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._client: Any = boto3.client("s3")

    def put(self, place: str, what: Any) -> None:  # noqa: ANN401 - JSON
        """Keep what is JSON."""
        self._client.put_object(Bucket=self._name, Key=place, Body=json.dumps(what).encode())

    def get(self, place: str) -> Any:  # noqa: ANN401 - JSON
        """What is kept at a place."""
        return json.loads(self._client.get_object(Bucket=self._name, Key=place)["Body"].read())

    def has(self, place: str) -> bool:
        """Whether anything is kept at a place."""
        return bool(self._client.list_objects_v2(Bucket=self._name, Prefix=place, MaxKeys=1).get("KeyCount"))

    def names(self, folder: str) -> set[str]:
        """The names of all that is kept in a folder."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=folder)
        return {one["Key"].removeprefix(folder) for page in pages for one in page.get("Contents", ())}


def handler(event: Mapping[str, Any], _: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own
    """Go on with a command, or work on one part of it."""
    bucket = Bucket(os.environ[BUCKET])
    if "part" in event:
        result = WORKS[event["work"]](event["part"], parts.nobody)
        bucket.put(f"{event['folder']}/results/{event['digest']}", result)
        return {}
    folder = f"runs/{event['run']}"
    run = CloudRun(Path(folder), datetime.fromisoformat(event["now"]), bucket=bucket)
    try:
        report = COMMANDS[event["command"]](run)
    except PartsWaitingError as waiting:
        place = f"{folder}/{waiting.stage}"
        return {"done": False, "parts": f"{place}/parts.json", "folder": place, "work": waiting.work}
    except FailedPartsError as failed:
        return {"done": True, "failed": str(failed)}
    return {"done": True, "report": report}


def _verify(run: Run) -> dict[str, Any]:
    """Prove every account, and publish what is outstanding."""
    report = verify.check_by_parts(client.client(), settings.loyalty_table(), run)
    program, wrong = programs.load_program(), len(report.violations)
    publish_totals.count(report.outstanding, report.credit, program, wrong)
    first = report._replace(violations=report.first_of_each())
    return {"first": first._asdict(), "violations": wrong, "currency": program.currency}


COMMANDS: Mapping[str, Callable[[Run], dict[str, Any]]] = {"verify": _verify}
"""What can be run, by the name of the command."""
