"""MiniStack for a deployed stack, with what it lacks between a stream and a function: failures of single records.

It takes a batch for delivered whatever the function answers. Lambda tries again what the answer reports, by halves and
in the end alone, and sets aside what fails even then:
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ministack.app import main as serve  # type: ignore[import-untyped]
from ministack.services import lambda_svc  # type: ignore[import-untyped]

from infra.machine import supervised_process

Document = Mapping[str, Any]
Records = Sequence[Document]


def given_up(left: Records, ask: Callable[[Records], Records], *, halves: bool, retries_max: int) -> Iterator[Records]:
    """What is set aside in the end of the records that are `left` of a batch.

    `ask` hands some over, and answers with those that are left of them. Halving takes no retry.
    """
    waiting = [(left, 0)] if left else []
    while waiting:
        records, retries = waiting.pop()
        if halves and len(records) > 1:
            middle = len(records) // 2
            waiting += [(rest, retries) for part in (records[:middle], records[middle:]) if (rest := ask(part))]
        elif retries == retries_max:
            yield records
        elif rest := ask(records):
            waiting.append((rest, retries + 1))


def left_of(records: Records, result: Document) -> Records:
    """What has to be tried again: everything from the first record on that the function's answer reports."""
    if result.get("error"):
        return records
    body = result.get("body") or {}
    answer = json.loads(body) if isinstance(body, str) else body
    reported = {failure.get("itemIdentifier") for failure in answer.get("batchItemFailures", ())}
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    if not reported <= set(numbers):
        return records
    return records[next((place for place, number in enumerate(numbers) if number in reported), len(records)) :]


def mend() -> None:
    """Have MiniStack hear of single records."""
    execute = lambda_svc._execute_function  # noqa: SLF001 - it has no hook

    def execute_stream(function: Any, event: Any) -> Any:  # noqa: ANN401 - MiniStack's own
        result = execute(function, event)
        mapping = _mapping_of(function, event)
        # Of a batch that failed as a whole it keeps its place, and comes again.
        if mapping is None or result.get("error"):
            return result

        def ask(records: Records) -> Records:
            return left_of(records, execute(function, {"Records": records}))

        set_aside = given_up(
            left_of(event["Records"], result),
            ask,
            halves=bool(mapping.get("BisectBatchOnFunctionError")),
            retries_max=int(mapping["MaximumRetryAttempts"]),
        )
        for records in set_aside:
            lambda_svc._send_ddb_stream_failure_record(  # noqa: SLF001
                mapping, function, records, mapping["EventSourceArn"], result, "RetryAttemptsExhausted"
            )
        return result

    lambda_svc._execute_function = execute_stream  # noqa: SLF001


def _mapping_of(function: Document, event: Any) -> Document | None:  # noqa: ANN401
    """The mapping that a stream's batch came by, if it wants to hear of single records."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not records or records[0].get("eventSource") != "aws:dynamodb":
        return None
    source, name = records[0]["eventSourceARN"], (function.get("config") or function)["FunctionName"]
    for *_, mapping in lambda_svc._iter_all_esms():  # noqa: SLF001
        if (mapping["EventSourceArn"], mapping["FunctionName"]) == (source, name):
            return mapping if "ReportBatchItemFailures" in mapping["FunctionResponseTypes"] else None
    return None


if __name__ == "__main__":
    supervised_process.read_config()
    mend()
    serve()
