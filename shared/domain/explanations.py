"""Why something was done by hand, and by whom: what its member may read of it, and what only operators may.

A reason is for the member. A note is for operators: it is kept in an entry's source, and never shown to anybody else.
Who acts is shown to others by their role alone.
"""

from collections.abc import Mapping
from typing import Any

from shared.domain.actors import is_operator, role_of

_NOTE, _REASON_FOR, _MEMBER = "note", "reason_for", "member"
_NAMES = frozenset({"actor", "requested_by", "approved_by", "decided_by", "by"})
"""Under which names records say who acted."""
_EXPLAINED_TO_OPERATORS = frozenset({"freeze", "unfreeze"})
"""The types of entries whose reasons only operators read before notes were kept apart."""


def explained(reason: str, note: str | None) -> dict[str, str]:
    """What an entry's source says of why it was booked."""
    return {"reason": reason, **({_NOTE: note} if note else {})}


def explained_to_member(reason: str, note: str | None) -> dict[str, str]:
    """As `explained`, for a type of entries whose reasons were once for operators alone: this one is not."""
    return {**explained(reason, note), _REASON_FOR: _MEMBER}


def note_of(source: Mapping[str, str]) -> str | None:
    """The note that an entry's source has; None if there is none."""
    return source.get(_NOTE)


def source_shown(source: Mapping[str, str]) -> dict[str, str]:
    """What operators read of an entry's source beside its note."""
    return {name: text for name, text in source.items() if name not in {_NOTE, _REASON_FOR}}


def source_told(type_: str, source: Mapping[str, str]) -> dict[str, str]:
    """What anybody but an operator reads of an entry's source."""
    told = {name: role_of(text) if name in _NAMES else text for name, text in source_shown(source).items()}
    if type_ in _EXPLAINED_TO_OPERATORS and source.get(_REASON_FOR) != _MEMBER:
        told.pop("reason", None)
    return told


def record_told(record: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    """What a member reads of a record that is kept about them: no notes of operators, and nobody's name."""
    if isinstance(record, Mapping):
        return {name: _part_told(name, part, record) for name, part in record.items() if name != _NOTE}
    return [record_told(one) for one in record] if isinstance(record, list | tuple) else record


def _part_told(name: str, part: Any, record: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if name in _NAMES and isinstance(part, str):
        return role_of(part)
    if name == "source" and isinstance(part, Mapping):
        return source_told(str(record.get("type")), part)
    if name == "uses" and isinstance(part, Mapping):
        return _uses_told(part)
    return record_told(part)


def _uses_told(uses: Mapping[str, Any]) -> dict[str, Any]:
    """What limits have counted. Of operators it says what the last day's count comes to for all of them together."""
    told = {name: record_told(use) for name, use in uses.items() if not is_operator(name)}
    by_hand = {name: use for name, use in uses.items() if is_operator(name)}
    last = max((use["period"] for use in by_hand.values()), default="")
    for name, use in by_hand.items():
        if use["period"] == last:
            known = told.get(role_of(name), {"times": 0, "points": 0})
            sums = {what: known[what] + use.get(what, 0) for what in ("times", "points")}
            told[role_of(name)] = {"period": last, **sums}
    return told
