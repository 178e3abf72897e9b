"""The shop's own codes for vouchers: added by operators, and taken one by one with what issues a voucher."""

from typing import Annotated

from pydantic import Field

from shared import runtime
from shared.domain.errors import Fault, InvalidRequestError, RewardNotFoundError, RewardUnavailableError
from shared.domain.fields import Record, Reference
from shared.domain.program.program import Program
from shared.domain.spending.redemptions import new_voucher_code
from shared.tables import own_codes as stored
from shared.tables import programs
from shared.tables.client import Write
from shared.tables.operation import NOTHING_MORE, Needs, Situation

CODES_MAX = 100


class Codes(Record):
    """Codes of the shop's own, for the vouchers of a reward."""

    codes: Annotated[tuple[Reference, ...], Field(min_length=1, max_length=CODES_MAX)]


class Added(Record):
    """How many codes were new, and how many wait now."""

    added: int
    left: int


def add(reward_id: str, request: Codes) -> Added:
    """Add codes to a reward; those that are known already are passed over.

    Raises RewardNotFoundError, InvalidRequestError for a reward whose vouchers have codes that are drawn.
    """
    program = programs.load_program()
    if program.reward(reward_id) is None:
        raise RewardNotFoundError(f"the program has no reward {reward_id!r}")
    if not _has_own(program, reward_id):
        raise InvalidRequestError(Fault("", "the reward's codes are drawn: set own_codes in its voucher first"))
    added = stored.add(reward_id, request.codes)
    return Added(added=added, left=stored.load(reward_id).left)


def asks(situation: Situation, reward_id: str | None) -> Needs:
    """What more must be known to issue a voucher of a reward: the pool of its codes, and the next one."""
    if reward_id is None or not _has_own(situation.program, reward_id):
        return NOTHING_MORE
    key = stored.pool_key(reward_id)
    if key not in situation.items:
        return Needs(items=[key])
    pool = stored.pool_of(situation.items[key])
    number_key = stored.numbered_key(reward_id, pool.taken + 1)
    return Needs(items=[number_key]) if pool.left and number_key not in situation.items else NOTHING_MORE


def drawn() -> str:
    """A code that is drawn at random: the one of a voucher whose reward has none of the shop's own."""
    return new_voucher_code(runtime.random().choice)


def next_code(situation: Situation, reward_id: str | None, otherwise: str) -> tuple[str, list[Write]]:
    """The code of a voucher of a reward, and what takes it; `otherwise` if the reward has none of the shop's own.

    Raises RewardUnavailableError if no code is left.
    """
    if reward_id is None or not _has_own(situation.program, reward_id):
        return otherwise, []
    pool = stored.pool_of(situation.items[stored.pool_key(reward_id)])
    item = situation.items.get(stored.numbered_key(reward_id, pool.taken + 1))
    if item is None:
        raise RewardUnavailableError(f"no code is left for {reward_id!r}: the shop has to add some")
    return stored.code_of(item), [stored.take(reward_id, pool)]


def _has_own(program: Program, reward_id: str) -> bool:
    reward = program.reward(reward_id)
    return reward is not None and reward.voucher is not None and reward.voucher.own_codes
