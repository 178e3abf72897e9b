"""Lists that run on through the accounts of merged members."""

from collections.abc import Mapping, Sequence

import pytest

from shared.domain.account import Account
from shared.domain.errors import InvalidRequestError
from shared.services.histories import Page, Place, read_page

ADA = Account(member_id="ada", merged_from=("bob", "cleo"))
LISTS: Mapping[str, Sequence[int]] = {"ada": (9, 8, 7), "bob": (), "cleo": (2, 1)}
START = 100


def page(place: Place[int]) -> Page[int, int]:
    def read(member_id: str, before: int) -> tuple[Sequence[int], int | None]:
        left = [number for number in LISTS[member_id] if number < before]
        return left[:2], left[1] if len(left) > 2 else None

    return read_page(ADA, place, read, start=START)


def test_each_list_follows_the_one_before_and_each_item_is_read_once() -> None:
    place: Place[int] | None = Place(0, START)
    pages = []
    while place is not None:
        items, place = page(place)
        pages.append(list(items))
    assert pages == [[9, 8], [7], [], [2, 1]]


def test_the_last_page_names_no_next_one() -> None:
    assert page(Place(2, START)).next_place is None


@pytest.mark.parametrize("number", [-1, 3])
def test_a_list_that_the_account_does_not_have_is_refused(number: int) -> None:
    with pytest.raises(InvalidRequestError):
        page(Place(number, START))
