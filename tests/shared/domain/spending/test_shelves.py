"""Pieces of a limited reward: never more than there are, none lost, and the last of them found."""

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.domain.program.program import Reward
from shared.domain.spending.shelves import SHELVED_FROM, SHELVES, Shelf, Shelved, restocked, shelf_of

numbers = st.integers(0, SHELVES - 1)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("take"), numbers),
        st.tuples(st.just("put back"), numbers),
        st.tuples(st.just("stock"), st.integers(0, 40)),
        st.tuples(st.just("shelves"), st.booleans()),
    ),
    max_size=120,
)
MUG = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 80}


class Shop:
    """A reward's pieces, taken and put back as the table does it."""

    def __init__(self, stock: int, taken: int = 0) -> None:
        self.stock, self.gone, self.has_shelves = stock, taken, True
        self.shelved = Shelved(taken, {})

    def take(self, number: int) -> bool:
        """Whether there was a piece for the member of a shelf."""
        place = number if self.has_shelves else None
        if not self._lies_there(place):
            after = restocked(self.shelved, self.stock, place)
            if after is None:
                return False
            self.shelved = Shelved(after.taken, {**self.shelved.shelves, **after.shelves})
            assert self._lies_there(place)
        self._add(place, -1)
        self.gone += 1
        return True

    def put_back(self, number: int) -> None:
        if self.gone:
            self._add(number if self.has_shelves else None, 1)
            self.gone -= 1

    def _lies_there(self, place: int | None) -> bool:
        if place is None:
            return self.shelved.taken < self.stock
        shelf = self.shelved.shelves.get(place, Shelf(0, None))
        return shelf.pieces > 0 and shelf.of_stock == self.stock

    def _add(self, place: int | None, pieces: int) -> None:
        if place is None:
            self.shelved = self.shelved._replace(taken=self.shelved.taken - pieces)
            return
        shelf = self.shelved.shelves.get(place, Shelf(0, None))
        shelves = {**self.shelved.shelves, place: shelf._replace(pieces=shelf.pieces + pieces)}
        self.shelved = self.shelved._replace(shelves=shelves)


@given(st.integers(0, 40), moves)
@example(2, [("stock", 9), *[("take", 1)] * 8, ("stock", 2), ("put back", 3), ("take", 3)])
def test_whatever_is_taken_put_back_and_changed_no_more_are_given_than_there_are_and_none_is_missed(
    stock: int, happened: list[tuple[str, int]]
) -> None:
    shop = Shop(stock)
    for what, number in happened:
        if what == "take":
            is_left = shop.gone < shop.stock
            assert shop.take(number) == is_left
        elif what == "put back":
            shop.put_back(number)
        elif what == "stock":
            shop.stock = number
        else:
            shop.has_shelves = bool(number)
        assert shop.shelved.gone == shop.gone
        assert all(shelf.pieces >= 0 for shelf in shop.shelved.shelves.values())


@given(st.integers(1, 30), st.lists(numbers, min_size=40, max_size=60))
def test_what_an_earlier_release_has_counted_is_gone(taken: int, takers: list[int]) -> None:
    shop = Shop(30, taken)
    assert sum(shop.take(number) for number in takers) == 30 - taken


def test_a_shelf_gets_some_at_a_time_so_that_the_next_need_not_ask() -> None:
    after = restocked(Shelved(0, {}), 6_400, 3)
    assert after is not None
    assert (after.taken, after.shelves) == (100, {3: Shelf(100, 6_400)})


def test_what_lies_on_shelves_for_another_stock_goes_back_into_stock_first() -> None:
    shelves = {1: Shelf(5, 2_000), 2: Shelf(7, 1_000), 3: Shelf(1, None), 4: Shelf(0, 2_000)}
    after = restocked(Shelved(900, shelves), 1_000, 2)
    assert after is not None
    assert after.taken == 900 - 5 - 1
    assert after.shelves == {1: Shelf(0, None), 3: Shelf(0, None), 4: Shelf(0, None)}
    assert restocked(Shelved(900, shelves), 850, 2) is None


def test_a_reward_of_few_pieces_has_no_shelves_and_one_of_many_has_each_members_own() -> None:
    read = TypeAdapter(Reward).validate_python
    few, many = (read({**MUG, "stock": stock}) for stock in (SHELVED_FROM - 1, SHELVED_FROM))
    assert {shelf_of(reward, "ada") for reward in (None, few, read(MUG))} == {None}
    assert {shelf_of(many, f"member-{number}") for number in range(100)} == set(range(SHELVES))
