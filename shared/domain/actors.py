"""Who has caused an entry, as its actor says: the role, a colon, and who it was; or the clock."""

CLOCK = "clock"
_SHOPS = ("storefront:", "operator:")


def is_shop(actor: str) -> bool:
    """Whether the shop has acted, through its storefront or an operator: not a member, a partner, or time."""
    return actor.startswith(_SHOPS)
