"""A token's scopes are found however its issuer writes them."""

from typing import Any

import pytest

from shared.caller import OPERATOR, STOREFRONT, claimed_scopes


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": f"{STOREFRONT} {OPERATOR}"},
        {"scp": f"{STOREFRONT} {OPERATOR}"},
        {"scope": f"[{STOREFRONT} {OPERATOR}]"},
        {"scp": f"[{STOREFRONT} {OPERATOR}]"},
        {"scp": [STOREFRONT, OPERATOR]},
        {"scope": "", "scp": f"{STOREFRONT} {OPERATOR}"},
    ],
)
def test_words_and_arrays_under_both_names(claims: dict[str, Any]) -> None:
    assert claimed_scopes(claims) == {STOREFRONT, OPERATOR}


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"scope": ""},
        {"scope": None},
        {"scope": "[]"},
        {"scope": {STOREFRONT: 1}},
        {"scope": [[STOREFRONT]]},
        {"scope": f"[{STOREFRONT}"},
        {"scope": f"{STOREFRONT}]"},
        {"scope": f"x{STOREFRONT}"},
        {"scopes": STOREFRONT},
    ],
)
def test_what_is_written_otherwise_grants_nothing(claims: dict[str, Any]) -> None:
    assert STOREFRONT not in claimed_scopes(claims)


def test_what_a_token_says_by_the_usual_name_is_not_added_to() -> None:
    assert claimed_scopes({"scope": STOREFRONT, "scp": OPERATOR}) == {STOREFRONT}
