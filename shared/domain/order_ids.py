"""The ids that orders are kept under: the shop's own as it is, a partner's with the partner before it.

A mark that no caller's text can have stands between the two, so that no shop's order is a partner's. Answers and events
show a slash in its place.
"""

_MARK, _SHOWN = "\x1f", "/"


def of_partner(partner_id: str, order_id: str) -> str:
    """The id that a partner's order is kept under."""
    return f"{partner_id}{_MARK}{order_id}"


def of_partner_at_first(partner_id: str, order_id: str) -> str:
    """The one that it was kept under before partners' orders had a mark. A shop's order can have the same."""
    return f"{partner_id}{_SHOWN}{order_id}"


def shown(order_id: str) -> str:
    """An order's id as all but its partner see it."""
    return order_id.replace(_MARK, _SHOWN)


def as_its_partner_knows_it(order_id: str, partner_id: str) -> str:
    """An order's id as its own partner sent it."""
    own, at_first = of_partner(partner_id, ""), of_partner_at_first(partner_id, "")
    return order_id.removeprefix(own if order_id.startswith(own) else at_first)


def perhaps_of_partner(shown_id: str) -> str | None:
    """The id that a partner's order is kept under which is shown like this; None: no partner's order is."""
    partner_id, slash, order_id = shown_id.partition(_SHOWN)
    return of_partner(partner_id, order_id) if slash else None
