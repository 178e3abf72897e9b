"""Who has caused an entry, as its actor says: a role, a colon, and who it was; or time, or the ledger's stream."""

CLOCK = "clock"
"""Time has passed."""
STREAM = "stream"
"""Follows from other entries, which the ledger's stream tells of."""
_MEMBER, _OPERATOR, _STOREFRONT, _PARTNER = "member:", "operator:", "storefront:", "partner:"


def role_of(actor: str) -> str:
    """Whoever acts, by their role alone: `operator` for `operator:olga`."""
    return actor.partition(":")[0]


def is_operator(actor: str) -> bool:
    """Whether somebody of the shop has acted by hand."""
    return actor.startswith(_OPERATOR)


def is_member(actor: str) -> bool:
    """Whether a member has acted, with a token of their own."""
    return actor.startswith(_MEMBER)


def is_shop(actor: str) -> bool:
    """Whether the shop has acted, through its storefront or an operator: not a member, a partner, or time."""
    return actor.startswith((_OPERATOR, _STOREFRONT))


def is_partner(actor: str) -> bool:
    """Whether a partner has acted."""
    return actor.startswith(_PARTNER)
