"""Accounts beside a member's own: the wallet of store credit, and the pool that several members share.

A side account's id names its kind after a mark that no issued id has; its first entry opens it.
"""

_WALLET, _POOL = "~credit", "~pool"


def wallet_of(member_id: str) -> str:
    """The account of a member's store credit: its unit is minor units of the program's currency, not points."""
    return f"{member_id}{_WALLET}"


def pool_account_of(pool_id: str) -> str:
    """The account of the points that a pool's members share."""
    return f"{pool_id}{_POOL}"


def owner_of(account_id: str) -> str:
    """The id of the member or the pool whose account it is."""
    return account_id.removesuffix(_WALLET).removesuffix(_POOL)


def is_wallet(account_id: str) -> bool:
    """Whether an account holds store credit."""
    return account_id.endswith(_WALLET)


def is_pool(account_id: str) -> bool:
    """Whether an account is shared by the members of a pool."""
    return account_id.endswith(_POOL)


def member_of(account_id: str) -> str | None:
    """Whose account it is; None: it is nobody's alone."""
    return None if is_pool(account_id) else owner_of(account_id)
