"""What is sent about a changed address: a code to the new one, and to the old one a link that undoes the change.

Both follow from the change's random id under the shop's key. So neither is kept anywhere, and a link that was not made
here is refused before anything is read.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from shared.caller import is_valid_id
from shared.domain.errors import LinkNotFoundError
from shared.domain.members.address_changes import CONFIRMED_WITHIN, AddressChange, code_of
from shared.domain.message_types import Kind, Value
from shared.domain.telling.notifications import Note, Way, way_to_address
from shared.messaging import signed_links
from shared.tables import address_changes, members

CODE: Kind = "address_code"
CHANGED: Kind = "address_changed"
KINDS = frozenset({CODE, CHANGED})
PATH = "/v1/changes/undo/"
_CHANGE = "change_id"
_PURPOSE, _DIGITS = "undo", 24
"""96 bits, as hexadecimal digits: a text message has room for no more."""


class Link(NamedTuple):
    """The change that a link undoes, and whose it is."""

    member_id: str
    change_id: str


class Told(NamedTuple):
    """Where a notice goes, and what its template gets."""

    way: Way
    values: Mapping[str, Value]


def note_on(member_id: str, change: AddressChange, kind: Kind) -> Note:
    """The note of a notice. It holds neither an address nor a code."""
    message_id = f"{kind}:{change.change_id}"
    return Note(message_id=message_id, member_id=member_id, kind=kind, values={_CHANGE: change.change_id})


def told(note: Note, now: datetime) -> Told | None:
    """What a note tells, and where; None if its time is over, or mail cannot be sent there."""
    change = address_changes.load(note.member_id, str(note.values[_CHANGE]))
    if change is None or change.ends_at <= now or change.waits != (note.kind == CODE):
        return None
    address = change.value if note.kind == CODE else change.old
    way = way_to_address(change.kind, address) if address else None
    return Told(way, _values(note, change)) if way else None


def code_for(change_id: str) -> str:
    """The code that confirms a change."""
    return code_of(members.keyed_hash(f"address-code:{change_id}"))


def url_for(link: Link) -> str:
    """The address of the page that undoes a change."""
    return signed_links.url_for(PATH, token_for(link))


def token_for(link: Link) -> str:
    """The link as it appears in an address, short enough for a text message. Whoever holds it may undo the change."""
    content = f"{link.member_id}.{link.change_id}"
    return f"{content}.{signed_links.signature(_PURPOSE, content, _DIGITS)}"


def link_of(token: str) -> Link:
    """The link that a token encodes. Raises LinkNotFoundError for any that was not made here."""
    content, _, signature = token.rpartition(".")
    member_id, _, change_id = content.partition(".")
    if not signed_links.is_signed(_PURPOSE, content, signature, _DIGITS) or not is_valid_id(member_id):
        raise LinkNotFoundError("there is no such link; use the one in a message")
    return Link(member_id, change_id)


def _values(note: Note, change: AddressChange) -> dict[str, Value]:
    if note.kind == CODE:
        return {"code": code_for(change.change_id), "hours": int(CONFIRMED_WITHIN.total_seconds()) // 3600}
    link = Link(note.member_id, change.change_id)
    return {"about": change.kind, "undo_url": url_for(link) if change.can_be_undone else ""}
