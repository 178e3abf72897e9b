"""The program: the current one from memory, and every version that a shop has stored."""

from collections.abc import Sequence

from shared import runtime, settings
from shared.domain.errors import Fault, InvalidRequestError, ProgramChangedError, TryAgainError
from shared.domain.program.defaults import default_program
from shared.domain.program.program import Program
from shared.tables import budgets, client, ledger, records
from shared.tables.client import CancelledError, Item, Key, Write

PROGRAM_SECONDS = 30
"""For how long a program is used before it is read again: what a changed one takes to be seen everywhere."""

_PROGRAM_KEY = Key("PROGRAM", "CURRENT")


@runtime.remembered(seconds=PROGRAM_SECONDS)
def load_program() -> Program:
    """The current program, from memory for at most `PROGRAM_SECONDS`; the default until a shop stores its own."""
    item = client.get(settings.loyalty_table(), _PROGRAM_KEY)
    return records.read(Program, item) if item else default_program()


def load_version(version: int) -> Program:
    """A version of the program that entries were booked by. Raises LookupError if it was never stored."""
    item = client.get(settings.loyalty_table(), Key("PROGRAM", f"VERSION#{version}"))
    if item is None:
        raise LookupError(f"version {version} of the program is not stored")
    return Program.model_validate_json(item["body"]["S"])


def propose(review_id: str, program: Program) -> Write:
    """What keeps a program beside the review that it waits for."""
    return {"Put": {"TableName": settings.loyalty_table(), "Item": _proposal(review_id, program)}}


def load_proposed(review_id: str) -> Program:
    """The program that waits for a review, as it was sent."""
    item = client.get(settings.loyalty_table(), _proposal_key(review_id))
    if item is None:
        raise AssertionError(f"the review {review_id} has no program")
    return records.read(Program, item)


def _proposal(review_id: str, program: Program) -> Item:
    return {**client.key_of(_proposal_key(review_id)), **records.attributes(program)}


def _proposal_key(review_id: str) -> Key:
    return Key(_PROGRAM_KEY.pk, f"PROPOSED#{review_id}")


def replace_program(program: Program, version: int, also: Sequence[Write] = ()) -> Program:
    """Store a program over version `version`, with `also`; it becomes the next one, and every version stays.

    Storing again what already followed that version changes nothing. Raises ProgramChangedError if something else did,
    InvalidRequestError for another currency once anything has been booked, TryAgainError if another write was in the
    way.
    """
    table = settings.loyalty_table()
    load_program.forget()
    _require_same_currency(load_program(), program)
    stored = program.model_copy(update={"version": version + 1})
    writes = [client.put_over(table, _PROGRAM_KEY, version if version > 1 else 0, **records.attributes(stored))]
    kept = [default_program(), stored] if version == 1 else [stored]
    writes += [
        client.put_new(table, Key("PROGRAM", f"VERSION#{one.version}"), **records.attributes(one)) for one in kept
    ]
    if version == 1:
        writes[0]["Put"]["Item"]["revision"] = {"N": "2"}
    try:
        client.transact([*writes, *also])
    except CancelledError as cancelled:
        if not cancelled.failed:
            raise TryAgainError("the program is being replaced; the same request may be sent again") from cancelled
        body = records.attributes(stored)["body"]
        if not any(item and item["body"] == body for item in cancelled.failed.values()):
            raise ProgramChangedError(f"version {version} is not the current one; read it again") from cancelled
    finally:
        load_program.forget()
        budgets.forget()
    budgets.apply(stored)
    return stored


def _require_same_currency(before: Program, after: Program) -> None:
    """Raises InvalidRequestError for another currency once anything has been booked: amounts do not say theirs."""
    if before.currency != after.currency and ledger.is_anything_booked():
        detail = f"stays {before.currency}: members have orders, credit and limits in it"
        raise InvalidRequestError(Fault("/currency", detail))
