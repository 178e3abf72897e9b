"""One message on its way: is it wanted, allowed, due, not sent before; then its words, and out.

What may not go now waits, and what fails is tried again. Each message has a marker. What is refused for good is not
tried again, and a message whose answer is lost counts as sent. Only a crash between sending and marking sends one
twice.
"""

from datetime import date, datetime

from shared import telemetry
from shared.aws.answers import LostAnswerError, RefusedError
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.lifecycle.passing_of_time import up_to_date, up_to_date_with_pool
from shared.domain.members.members import Member
from shared.domain.message_types import KINDS, Value
from shared.domain.program.built_in_templates import DEFAULT_LOCALE, default_template
from shared.domain.program.messages import Template
from shared.domain.program.program import Program
from shared.domain.telling import templates
from shared.domain.telling.notifications import Message, Note, Way, is_wanted, quiet_until, values_for, way_to
from shared.domain.telling.templates import RenderingError, Words
from shared.messaging import address_notices, channels, sign_in_codes, unsubscribe
from shared.messaging.unsubscribe import Link
from shared.tables import accounts, deferred_messages, members, sent_messages


def send(note: Note, program: Program, now: datetime) -> None:
    """See that a member is told, now or when their quiet hours end, if they are to be told at all.

    Raises what the channels raise; nothing was sent then. Two failures are not raised: a refusal for good is marked,
    and a lost answer counts as sent.
    """
    if not program.messages.sends(note.kind):
        return
    if note.kind == sign_in_codes.KIND:
        _send_code(note, program, now)
        return
    account = up_to_date_with_pool(accounts.load_with_pool(note.member_id), program, now)
    today = local_day(now, program.time_zone)
    if not is_wanted(note, account, program, today):
        return
    member = members.load_member(note.member_id).member
    if note.kind in address_notices.KINDS:
        _send_notice(note, member, account, program, now)
        return
    way = way_to(member, program, note.kind)
    if way is None:
        return
    until = quiet_until(member, program, note.kind, now)
    if until is not None:
        deferred_messages.put(note, until)
        return
    _tell(note, member, account, program, way, now)


def _send_notice(note: Note, member: Member, account: Account, program: Program, now: datetime) -> None:
    """Tell a changed address, whatever the member likes to be told, and by what channel: it guards their account."""
    told = address_notices.told(note, now)
    if told is None or member.status != "active" or member.erasure is not None:
        return
    note = note.model_copy(update={"values": told.values})
    _tell(note, member, account, program, told.way, now)


def _send_code(note: Note, program: Program, now: datetime) -> None:
    """Tell an address its code to sign in, whoever's it is, and whatever they like to be told: they wait for it."""
    told = sign_in_codes.told(note, now)
    if told is None:
        return
    note = note.model_copy(update={"values": told.values})
    somebody = Member(member_id=note.member_id, locale=told.locale, enrolled_at=now)
    _tell(note, somebody, Account(member_id=note.member_id), program, told.way, now)


def _tell(note: Note, member: Member, account: Account, program: Program, way: Way, now: datetime) -> None:
    """Send a note's words, unless they were sent, or the day that they speak of has passed."""
    message = _worded(note, member, account, program, way, local_day(now, program.time_zone))
    if message is not None and sent_messages.claim(note.message_id, now):
        _hand_over(message, program, now)


def settled(member_id: str, program: Program, now: datetime) -> Account:
    """A member's account as it is at `now`."""
    account = accounts.load_account(member_id).account
    return up_to_date(account, program, now)


def _hand_over(message: Message, program: Program, now: datetime) -> None:
    """Send a claimed message, unless as much marketing as the program allows went to the member this week.

    What becomes of the message is noted before the week's count is put right: no failure of that sends it again, or
    keeps it from being sent.
    """
    limit = program.messages.marketing_per_week if message.category == "marketing" else None
    week = local_day(now, program.time_zone).strftime("%G-W%V")
    if limit is not None and _number_of(message, week, now) > limit:
        sent_messages.mark_sent(message.message_id, now)
        return
    counted_in = None if limit is None else week
    try:
        channels.current().send(message)
    except RefusedError as error:
        _give_up(message, error, now)
        _uncount(message, counted_in)
    except LostAnswerError:
        sent_messages.mark_sent(message.message_id, now)
        telemetry.count(MessagesUnanswered=1)
    except Exception:
        sent_messages.release(message.message_id)
        _uncount(message, counted_in)
        raise
    else:
        sent_messages.mark_sent(message.message_id, now)


def _number_of(message: Message, week: str, now: datetime) -> int:
    """The how manieth of the week a marketing message is. Where that cannot be counted it is not sent, and free again.

    It may have been counted all the same: one too many keeps a member from an offer, one too few breaks a promise.
    """
    try:
        return sent_messages.count(message.member_id, week, now)
    except Exception:
        sent_messages.release(message.message_id)
        raise


def _uncount(message: Message, week: str | None) -> None:
    if week is not None:
        sent_messages.uncount(message.member_id, week)


def _give_up(message: Message, error: RefusedError, now: datetime) -> None:
    extra = {"message_id": message.message_id, "channel": message.channel, "code": error.code}
    telemetry.logger().warning("a message was refused for good", extra=extra)
    telemetry.count(MessagesRefused=1)
    sent_messages.mark_refused(message.message_id, error.code, now)


def _worded(note: Note, member: Member, account: Account, program: Program, way: Way, today: date) -> Message | None:
    """The message in the member's language; None if the day that it speaks of has passed."""
    category = KINDS[note.kind].category
    template, is_own = templates.template_for(program.messages, note.kind, way.channel, member.locale)
    values = values_for(note, member, account, program, template.locale, today)
    if values is None:
        return None
    headers = {}
    if way.channel == "email" and category != "service":
        url = unsubscribe.url_for(Link(member.member_id, category))
        values["unsubscribe_url"], headers = url, unsubscribe.headers(url)
    template, words = _words(template, values, is_own=is_own)
    return Message(
        message_id=note.message_id,
        member_id=member.member_id,
        kind=note.kind,
        category=category,
        channel=way.channel,
        locale=template.locale,
        to=way.to,
        subject=words.subject,
        text=words.text,
        html=words.html,
        headers=headers,
    )


def _words(template: Template, values: dict[str, Value], *, is_own: bool) -> tuple[Template, Words]:
    """A template's words; the built-in ones where the program's own fails on what nobody foresaw."""
    try:
        return template, templates.rendered(template, values)
    except RenderingError as error:
        fallback = default_template(template.kind, template.channel, DEFAULT_LOCALE)
        if not is_own or fallback is None:
            raise
        extra = {"kind": template.kind, "channel": template.channel, "locale": template.locale, "fault": str(error)}
        telemetry.logger().error("a template of the program failed", extra=extra)
        return fallback, templates.rendered(fallback, {**values, "locale": fallback.locale})
