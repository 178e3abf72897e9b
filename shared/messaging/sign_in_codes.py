"""What is sent to whoever signs in: a code, to the address that has asked for it, which may be nobody's yet.

The code follows from the sign-in's id under the shop's key, so that it is kept nowhere.
"""

from datetime import datetime
from typing import NamedTuple

from shared.domain.members.address_changes import code_of
from shared.domain.members.sign_ins import ENTERED_WITHIN, SignIn
from shared.domain.message_types import Kind, Value
from shared.domain.telling.notifications import Note, Way, way_to_address
from shared.tables import members, sign_ins

KIND: Kind = "sign_in_code"
_SIGN_IN = "sign_in_id"
_SECONDS_A_MINUTE = 60


class Told(NamedTuple):
    """Where a code goes, in which language, and what its template gets."""

    way: Way
    locale: str
    values: dict[str, Value]


def code_for(sign_in_id: str) -> str:
    """The code that signs in."""
    return code_of(members.keyed_hash(f"sign-in-code:{sign_in_id}"))


def note_on(sign_in: SignIn, member_id: str | None) -> Note:
    """The note that has the code sent. It holds neither the address nor the code; None: it is nobody's yet."""
    sign_in_id = sign_in.sign_in_id
    message_id = f"{KIND}:{sign_in_id}"
    return Note(message_id=message_id, member_id=member_id or sign_in_id, kind=KIND, values={_SIGN_IN: sign_in_id})


def told(note: Note, now: datetime) -> Told | None:
    """What a note tells, and where; None if its time is over, or mail cannot be sent there."""
    sign_in = sign_ins.load(str(note.values[_SIGN_IN]))
    if sign_in is None or sign_in.ends_at <= now:
        return None
    way = way_to_address(sign_in.kind, sign_in.value)
    if way is None:
        return None
    minutes = int(ENTERED_WITHIN.total_seconds()) // _SECONDS_A_MINUTE
    return Told(way, sign_in.locale, {"code": code_for(sign_in.sign_in_id), "minutes": minutes})
