"""A bad record of a stream is set aside alone, as Lambda does it."""

from infra.emulator.stream_readers import Records, given_up, left_of, matches

RETRIES = 5


def _record(number: int) -> dict[str, dict[str, str]]:
    return {"dynamodb": {"SequenceNumber": str(number)}}


def _reporting(*numbers: int) -> dict[str, object]:
    return {"batchItemFailures": [{"itemIdentifier": str(number)} for number in numbers]}


def test_everything_from_the_first_reported_record_on_is_left() -> None:
    batch = [_record(number) for number in range(5)]
    assert left_of(batch, _reporting()) == []
    assert left_of(batch, _reporting(3, 2)) == batch[2:]


def test_an_answer_that_names_no_record_of_the_batch_fails_all_of_it() -> None:
    batch = [_record(number) for number in range(5)]
    assert left_of(batch, _reporting(9)) == left_of(batch, None) == batch


def test_the_bad_records_are_set_aside_alone_after_their_retries_and_the_others_come_through() -> None:
    batch, bad = [_record(number) for number in range(50)], {7, 31}
    asked = list[Records]()

    def ask(records: Records) -> Records:
        asked.append(records)
        failed = [number for number in bad if _record(number) in records]
        return left_of(records, _reporting(*failed))

    assert sorted(map(str, given_up(ask(batch), ask, halves=True, retries_max=RETRIES))) == sorted(
        str([_record(number)]) for number in bad
    )
    assert all(any(record in records for records in asked) for record in batch)
    assert asked.count([_record(31)]) >= RETRIES


def test_without_halving_a_batch_is_set_aside_from_its_bad_record_on() -> None:
    batch = [_record(number) for number in range(4)]
    assert list(given_up(batch, lambda records: records[-2:], halves=False, retries_max=1)) == [batch[-2:]]


def test_a_batch_that_came_through_is_not_handed_over_again() -> None:
    def ask(_: Records) -> Records:
        raise AssertionError("nothing is left")

    assert list(given_up([], ask, halves=True, retries_max=RETRIES)) == []


def test_a_filter_lets_through_what_has_its_values_and_names() -> None:
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"follow": {"S": [{"exists": True}]}}}}
    image = {"follow": {"S": "x"}}
    assert matches(pattern, {"eventName": "INSERT", "dynamodb": {"NewImage": image}})
    assert not matches(pattern, {"eventName": "MODIFY", "dynamodb": {"NewImage": image}})
    assert not matches(pattern, {"eventName": "INSERT", "dynamodb": {"NewImage": {"type": {"S": "x"}}}})
    assert not matches(pattern, {"eventName": "INSERT", "dynamodb": {}})
