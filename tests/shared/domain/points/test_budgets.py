"""Budgets: leased in slices, never overspent by a point, and nothing of them lost."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.points.budgets import SLICES, UNLEASED, Budget, lease, repaid, resized

numbers = st.integers(0, SLICES - 1)
needs = st.lists(st.tuples(numbers, st.integers(1, 400)), max_size=60)


def test_a_first_lease_takes_more_than_it_needs_but_leaves_half_to_others() -> None:
    assert lease(Budget(10_000, 10_000, {}), 3, 20) == {UNLEASED: -200, 3: 200}
    assert lease(Budget(100, 100, {}), 3, 20) == {UNLEASED: -50, 3: 50}


def test_others_give_nothing_while_enough_is_unleased() -> None:
    assert lease(Budget(100, 60, {2: 40}), 3, 30) == {UNLEASED: -30, 3: 30}


def test_what_other_slices_hold_unused_is_taken_back_when_nothing_is_unleased() -> None:
    budget = Budget(100, 0, {1: 30, 2: 50, 3: 5})
    assert lease(budget, 3, 40) == {2: -35, 3: 35}
    assert lease(budget, 3, 85) == {1: -30, 2: -50, 3: 80}


def test_who_needs_more_than_is_left_gets_the_exact_rest() -> None:
    after = Budget(100, 4, {1: 30}).after(lease(Budget(100, 4, {1: 30}), 7, 1_000))
    assert (after.slices[7], after.left, after.unleased) == (34, 34, 0)


def test_a_lowered_budget_is_never_less_than_what_is_spent() -> None:
    budget = Budget(100, 10, {1: 30})
    assert budget.spent == 60
    assert budget.after(resized(budget, 80)) == Budget(80, 0, {1: 20})
    assert budget.after(resized(budget, 1)) == Budget(60, 0, {1: 0})
    assert budget.after(resized(budget, 150)) == Budget(150, 60, {1: 30})


def test_what_is_owed_is_paid_back_with_unleased_points_and_then_with_what_the_fullest_slices_hold() -> None:
    budget = Budget(100, 10, {1: -25, 2: 8, 3: 20, 4: -2})
    assert (budget.left, budget.spent, budget.owes) == (11, 89, True)
    after = budget.after(repaid(budget))
    assert after == Budget(100, 0, {1: 0, 2: 8, 3: 3, 4: 0})
    assert not after.owes


def test_what_is_owed_beyond_all_that_is_held_stays_owed() -> None:
    budget = Budget(20, 0, {1: -10, 2: 7, 3: -1})
    after = budget.after(repaid(budget))
    assert after == Budget(20, 0, {1: -3, 2: 0, 3: -1})
    assert (after.left, after.spent, after.owes) == (0, 24, True)


def test_an_overdrawn_budget_becomes_no_less_and_pays_what_it_owes_when_it_is_raised() -> None:
    budget = Budget(20, 0, {1: -10, 2: 0})
    assert budget.after(resized(budget, 5)) == budget
    raised = budget.after(resized(budget, 36))
    assert (raised.total, raised.left) == (36, 6)
    assert raised.after(repaid(raised)) == Budget(36, 6, {1: 0, 2: 0})


@given(st.integers(1, 5_000), needs, st.lists(st.integers(1, 5_000), max_size=5))
def test_whatever_is_drawn_the_budget_is_spent_to_the_point_and_never_more(
    total: int, draws: list[tuple[int, int]], totals: list[int]
) -> None:
    budget, spent = Budget(total, total, {}), 0
    for turn, (number, need) in enumerate(draws):
        moves = lease(budget, number, need)
        assert sum(moves.values()) == 0, "a lease makes no points and loses none"
        budget = budget.after(moves)
        held = budget.slices.get(number, 0)
        assert held >= need or held == budget.left, "the rest is all there is"
        drawn = min(need, held)
        spent += drawn
        slices = {**budget.slices, number: held - drawn}
        budget = budget._replace(slices=slices)
        if turn < len(totals):
            budget = budget.after(resized(budget, totals[turn]))
            assert budget.total == max(totals[turn], spent)
        assert budget.spent == spent <= budget.total
        assert min(budget.unleased, *budget.slices.values()) >= 0
