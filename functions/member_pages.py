"""The members' own pages, for people with a browser: to join at `/join`, to sign in and see what they have at `/me`.

They call the services that the API calls, as the member who is signed in. They are HTML and no part of `/v1`, so the
document has none of them.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from shared import clock, runtime, settings
from shared.api import ledger_answers, paging
from shared.api.answers import Answer
from shared.api.problems import STATUS
from shared.api.schemas.accounts import account_answer
from shared.api.schemas.exports import export_answer
from shared.api.schemas.redemptions import redemption_answer
from shared.api.schemas.rewards import reward_page
from shared.domain.codes import drawn
from shared.domain.errors import (
    CodeExpiredError,
    ConsentRequiredError,
    Fault,
    IdentifierTakenError,
    InvalidRequestError,
    LoyaltyError,
    NotEligibleError,
    RouteNotFoundError,
    TooManyRequestsError,
    UnauthenticatedError,
)
from shared.domain.members.contact_preferences import PreferencesChange, allowed
from shared.domain.members.members import ADDRESS_KINDS, Change, Enrollment, Member
from shared.domain.members.sign_ins import ENTERED_WITHIN, SESSION_LASTS
from shared.domain.message_types import CATEGORIES, Channel
from shared.domain.spending.prices import RewardRequest
from shared.pages import cookies, qr
from shared.pages.site import ASSETS, REST, Site, Visit, faults, of_form, page, redirect, refusal
from shared.services import (
    accounts,
    address_changes,
    contact_preferences,
    erasure,
    member_codes,
    personal_data,
    redemption_lists,
    redemptions,
    referrals,
    rewards,
    sessions,
)
from shared.services import program as program_service
from shared.services.redemption_lists import Place
from shared.services.sessions import SignedIn

JOIN, ME = "/join", "/me"
REWARDS_SHOWN, READY_SHOWN, ENTRIES_SHOWN, VOUCHERS_SHOWN, FRIENDS_SHOWN = 100, 3, 20, 20, 50
TERMS = "join-page"
"""The version of the terms in the words of the page to join, where the program names none."""
_KEY_LENGTH = 16
_MINUTES = int(ENTERED_WITHIN.total_seconds()) // 60

site = Site("member", JOIN, f"{JOIN}{REST}", ME, f"{ME}{REST}", f"{ASSETS}{REST}", home=ME)


@site.get(JOIN)
def show_join() -> Answer:
    return _join_page(site.visit(), {"referral_code": (site.query("code") or "")[:40]}, {})


@site.post(JOIN)
def join() -> Answer:
    visit, form = site.visit(), site.form()
    try:
        token = sessions.ask(form.get("address", ""), visit.language.tag, _enrollment(form, visit), now=clock.now())
    except InvalidRequestError as error:
        return _join_page(
            visit, form, faults(visit.language, error, "name", "address", "terms", "age", "referral_code")
        )
    except (NotEligibleError, TooManyRequestsError) as error:
        return _join_page(visit, form, {"": refusal(visit.language, error)}, STATUS[error.code])
    return redirect(f"{ME}/code", [cookies.made("visit", token)], joining="1")


@site.get(f"{JOIN}/poster")
def show_poster() -> Answer:
    visit = site.visit()
    url = settings.public_address(JOIN)
    return page("poster.html", visit, url=url, picture=qr.svg(url))


@site.get(f"{ME}/sign-in")
def show_sign_in() -> Answer:
    return page("sign_in.html", site.visit(), form={}, wrong={}, said=site.query("said"))


@site.post(f"{ME}/sign-in")
def sign_in() -> Answer:
    visit, form = site.visit(), site.form()
    try:
        token = sessions.ask(form.get("address", ""), visit.language.tag, None, now=clock.now())
    except InvalidRequestError as error:
        wrong = faults(visit.language, error, "address")
        return page("sign_in.html", visit, status=STATUS[error.code], form=form, wrong=wrong, said=None)
    except TooManyRequestsError as error:
        wrong = {"": refusal(visit.language, error)}
        return page("sign_in.html", visit, status=STATUS[error.code], form=form, wrong=wrong, said=None)
    return redirect(f"{ME}/code", [cookies.made("visit", token)])


@site.get(f"{ME}/code")
def show_code() -> Answer:
    return _code_page(site.visit(), {})


@site.post(f"{ME}/code")
def enter_code() -> Answer:
    visit, form = site.visit(), site.form()
    try:
        token = sessions.enter(visit.asked, form.get("code", ""), now=clock.now())
    except InvalidRequestError as error:
        # What keeps somebody from joining is not in this form.
        wrong = faults(visit.language, error, "code")
        return _code_page(visit, wrong, STATUS[error.code])
    except (
        CodeExpiredError,
        ConsentRequiredError,
        IdentifierTakenError,
        NotEligibleError,
        TooManyRequestsError,
    ) as error:
        return _code_page(visit, {"": refusal(visit.language, error)}, STATUS[error.code])
    session = cookies.made("member", token, int(SESSION_LASTS.total_seconds()))
    # The cookie from before is of no use to whoever may have set it.
    return redirect(ME, [session, cookies.ended("visit")], said="welcome")


@site.get(ME)
def show_home() -> Answer:
    me, visit = _signed_in()
    ready = rewards.within_reach(me.account, me.pools, now=clock.now())[:READY_SHOWN]
    costs = {reward.reward_id: reward.points for reward in program_service.read_program().redeeming.rewards}
    return _own_page("home.html", me, visit, ready=ready, costs=costs)


@site.get(f"{ME}/card")
def show_card() -> Answer:
    me, visit = _signed_in()
    issued = member_codes.issue("me", caller=me.caller, now=clock.now())
    return _own_page("card.html", me, visit, issued=issued, picture=qr.svg(issued.text))


@site.get(f"{ME}/rewards")
def show_rewards() -> Answer:
    me, visit = _signed_in()
    return _rewards_page(me, visit)


@site.post(f"{ME}/rewards/<reward_id>")
def redeem(reward_id: str) -> Answer:
    me, visit = _signed_in()
    key = site.form().get("key", "")[:_KEY_LENGTH]
    try:
        request = of_form(RewardRequest, {"reward_id": reward_id, "capture": True})
        done = redemptions.redeem("me", request, key=f"page:{key}", caller=me.caller, now=clock.now())
    except LoyaltyError as error:
        return _rewards_page(me, visit, refusal(visit.language, error), STATUS[error.code])
    [redemption_id] = done.outcome.entry.opened
    return redirect(f"{ME}/vouchers/{quote(redemption_id, safe='')}", said="redeemed")


@site.get(f"{ME}/vouchers")
def show_vouchers() -> Answer:
    me, visit = _signed_in()
    cursor = site.query("cursor")
    place = Place(*paging.decode_cursor(cursor, int, int, int)) if cursor else None
    found = redemption_lists.list_redemptions("me", VOUCHERS_SHOWN, place, caller=me.caller, now=clock.now())
    items = [redemption_answer(one.reserved, one.state, found.program, None, one.returned) for one in found.items]
    more = paging.encode_cursor(*found.next_place) if found.next_place else None
    return _own_page("vouchers.html", me, visit, items=items, more=more, names=_reward_names())


@site.get(f"{ME}/vouchers/<redemption_id>")
def show_voucher(redemption_id: str) -> Answer:
    me, visit = _signed_in()
    found = redemptions.read("me", redemption_id, caller=me.caller, now=clock.now())
    voucher = redemption_answer(found.reserved, found.state, program_service.read_program(), None, found.returned)
    picture = qr.svg(voucher.voucher_code) if voucher.voucher_code else None
    return _own_page("voucher.html", me, visit, voucher=voucher, picture=picture, names=_reward_names())


@site.get(f"{ME}/points")
def show_points() -> Answer:
    me, visit = _signed_in()
    place = paging.decode_place(site.query("cursor"), int)
    found = accounts.read_history("me", ENTRIES_SHOWN, place, caller=me.caller)
    entries = ledger_answers.entry_page(found, me.caller)
    return _own_page("points.html", me, visit, entries=entries, names=_reward_names(), is_newest=place is None)


@site.get(f"{ME}/friends")
def show_friends() -> Answer:
    me, visit = _signed_in()
    found = referrals.read_referrals("me", FRIENDS_SHOWN, None, caller=me.caller, now=clock.now())
    url = settings.public_address(f"{JOIN}?code={quote(found.referral_code or '', safe='')}")
    return _own_page("friends.html", me, visit, found=found, url=url, picture=qr.svg(url))


@site.get(f"{ME}/you")
def show_you() -> Answer:
    me, visit = _signed_in()
    return _you_page(me, visit)


@site.post(f"{ME}/you/details")
def change_details() -> Answer:
    return _changed(("name", "locale"))


@site.post(f"{ME}/you/addresses/<kind>")
def change_address(kind: str) -> Answer:
    if kind not in ADDRESS_KINDS:
        raise RouteNotFoundError("there is no such kind of address")
    return _changed((kind,), said="code_sent")


@site.post(f"{ME}/you/confirm")
def confirm_address() -> Answer:
    me, visit = _signed_in()
    code = site.form().get("code", "")
    return _done(me, visit, lambda: address_changes.confirm("me", code, caller=me.caller, now=clock.now()), "confirmed")


@site.post(f"{ME}/you/messages")
def change_messages() -> Answer:
    me, visit = _signed_in()
    form = site.form()
    shown = _channels(me.member)
    categories = {one: {channel: f"{one}.{channel}" in form for channel in shown} for one in CATEGORIES}
    change = PreferencesChange.model_validate({"categories": categories})
    now = clock.now()
    return _done(
        me, visit, lambda: contact_preferences.change_preferences("me", change, caller=me.caller, now=now), "saved"
    )


@site.get(f"{ME}/export")
def export() -> Answer:
    me, visit = _signed_in()
    now = clock.now()
    found = export_answer(personal_data.export_member("me", caller=me.caller, now=now), me.caller, now)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{me.member.member_id}.json"',
        "X-Content-Type-Options": "nosniff",
    }
    return Answer(
        status_code=int(HTTPStatus.OK),
        content_type="application/json",
        headers=headers,
        cookies=list(visit.cookies),
        body=found.model_dump_json(indent=2),
    )


@site.get(f"{ME}/erase")
def show_erase() -> Answer:
    me, visit = _signed_in()
    return _own_page("erase.html", me, visit, wrong={})


@site.post(f"{ME}/erase")
def erase() -> Answer:
    me, visit = _signed_in()
    if "confirm" not in site.form():
        wrong = faults(visit.language, InvalidRequestError(Fault("/confirm", "")), "confirm")
        return _own_page("erase.html", me, visit, status=HTTPStatus.UNPROCESSABLE_ENTITY, wrong=wrong)
    gone = erasure.erase_member("me", caller=me.caller, now=clock.now())
    due_on = gone.request.due_on if isinstance(gone, erasure.Awaited) else None
    return page("farewell.html", visit, also=[cookies.ended("member")], due_on=due_on)


@site.post(f"{ME}/sign-out")
def sign_out() -> Answer:
    visit = site.visit()
    if "everywhere" in site.form():
        me, _ = _signed_in()
        sessions.end_all(caller=me.caller)
    elif visit.session:
        sessions.end(visit.session)
    return redirect(f"{ME}/sign-in", [cookies.ended("member")], said="signed_out")


def _sign_in_first(_error: UnauthenticatedError) -> Answer:
    return redirect(f"{ME}/sign-in", [cookies.ended("member")] if site.visit().session else ())


site.exception_handler(UnauthenticatedError)(_sign_in_first)


def _signed_in() -> tuple[SignedIn, Visit]:
    """Whoever is signed in, and their browser. Raises UnauthenticatedError."""
    token = site.visit().session
    me = sessions.signed_in(token, now=clock.now()) if token else None
    if me is None:
        raise UnauthenticatedError("nobody is signed in")
    return me, site.visit(of=me.member.locale)


def _own_page(template: str, me: SignedIn, visit: Visit, *, status: int = HTTPStatus.OK, **values: Any) -> Answer:  # noqa: ANN401 - whatever a template shows
    """A page of somebody who is signed in, with their account to the second."""
    program = program_service.read_program()
    account = account_answer(me.account, program, clock.now(), me.pools)
    zone = me.member.time_zone or program.time_zone
    values |= {"me": me.member, "account": account, "zone": ZoneInfo(zone), "said": site.query("said")}
    return page(template, visit, status=status, **values)


def _join_page(visit: Visit, form: Mapping[str, str], wrong: Mapping[str, str], status: int | None = None) -> Answer:
    program = program_service.read_program()
    cheapest = min(program.redeeming.rewards, key=lambda reward: reward.points, default=None)
    age = program.standing_rules.minimum_age if program.standing_rules else None
    status = status or (HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK)
    return page("join.html", visit, status=status, form=form, wrong=wrong, cheapest=cheapest, age=age)


def _enrollment(form: Mapping[str, str], visit: Visit) -> Enrollment:
    """What somebody has said who wants to join. Raises InvalidRequestError."""
    program = program_service.read_program()
    wanted = ["address", "terms"]
    if program.standing_rules and program.standing_rules.minimum_age:
        wanted.append("age")
    if missing := [Fault(f"/{name}", "is missing") for name in wanted if name not in form]:
        raise InvalidRequestError(*missing)
    offers, is_email = "marketing" in form, "@" in form.get("address", "")
    given = {
        "name": form.get("name"),
        "locale": visit.language.tag,
        "consent": {
            "terms_version": TERMS,
            "marketing": {"email": offers and is_email, "sms": offers and not is_email},
        },
        "referral_code": form.get("referral_code"),
        "age_confirmed": "age" in form,
        "channel": "web",
    }
    return of_form(Enrollment, given)


def _code_page(visit: Visit, wrong: Mapping[str, str], status: int = HTTPStatus.OK) -> Answer:
    is_joining = site.query("joining") is not None
    return page("code.html", visit, status=status, wrong=wrong, minutes=_MINUTES, is_joining=is_joining)


def _rewards_page(me: SignedIn, visit: Visit, refused: str | None = None, status: int = HTTPStatus.OK) -> Answer:
    now = clock.now()
    found = rewards.read_rewards("me", REWARDS_SHOWN, 0, caller=me.caller, now=now)
    key = drawn(runtime.random().choice, _KEY_LENGTH)
    items = reward_page(found, None).items
    tiers = {tier.tier_id: tier.name for tier in found.program.tiers.levels}
    return _own_page("rewards.html", me, visit, status=status, rewards=items, key=key, refused=refused, tiers=tiers)


def _you_page(
    me: SignedIn, visit: Visit, wrong: Mapping[str, str] | None = None, status: int = HTTPStatus.OK
) -> Answer:
    profile = address_changes.read_member("me", caller=me.caller, now=clock.now())
    return _own_page(
        "you.html",
        me,
        visit,
        status=status,
        wrong=wrong or {},
        waiting={one.kind: one for one in profile.waiting},
        allowed=allowed(profile.member),
        categories=CATEGORIES,
        channels=_channels(profile.member),
    )


def _channels(member: Member) -> list[Channel]:
    """By which channels the member can be written to: what is not shown to them is not changed."""
    addresses: Mapping[Channel, str | None] = {"email": member.email, "sms": member.phone}
    return [channel for channel, address in addresses.items() if address]


def _changed(fields: Sequence[str], said: str = "saved") -> Answer:
    """What a member has changed of themself: the fields of the form in hand, of which an empty one is removed."""
    me, visit = _signed_in()
    form = site.form()

    def change() -> None:
        given = {name: form.get(name) for name in fields}
        if said == "code_sent" and not all(given.values()):
            raise InvalidRequestError(*(Fault(f"/{name}", "is empty") for name in fields))
        address_changes.change_member("me", of_form(Change, given), caller=me.caller, now=clock.now())

    return _done(me, visit, change, said)


def _done(me: SignedIn, visit: Visit, does: Callable[[], object], said: str) -> Answer:
    """Back to the page about the member when something was done, or that page with what was wrong."""
    try:
        does()
    except InvalidRequestError as error:
        wrong = faults(visit.language, error, "name", "email", "phone", "code")
        return _you_page(me, visit, wrong, STATUS[error.code])
    except LoyaltyError as error:
        return _you_page(me, visit, {"": refusal(visit.language, error)}, STATUS[error.code])
    return redirect(f"{ME}/you", said=said)


def _reward_names() -> dict[str, str]:
    return {reward.reward_id: reward.name for reward in program_service.read_program().redeeming.rewards}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return site.resolve(event, context)
