"""The till, for cashiers with a browser: who is there, what they have, earn and redeem, use a voucher, undo.

It calls the services that the API calls, as the shop at the cashier's store. All of it works without a script; the one
that there is keeps sales while there is no connection, and sends them as a batch.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, TypeAdapter, ValidationError

from shared import clock, runtime
from shared.api.answers import JSON_TYPE, Answer
from shared.api.problems import STATUS
from shared.api.schemas.accounts import account_answer
from shared.api.schemas.orders import OrderEarn
from shared.domain.codes import drawn
from shared.domain.errors import (
    Fault,
    ForbiddenError,
    InvalidRequestError,
    LoyaltyError,
    MemberNotFoundError,
    UnauthenticatedError,
)
from shared.domain.fields import Instant, PositiveAmount, Record, Reference
from shared.domain.spending.prices import RewardRequest
from shared.domain.spending.vouchers import Use
from shared.domain.tills import SESSION_LASTS
from shared.pages import cookies
from shared.pages.languages import minor_units
from shared.pages.site import REST, Site, faults, of_form, page, redirect, refusal
from shared.services import accounts, address_changes, earn_batches, earning, redemptions, rewards, tills, vouchers
from shared.services import program as program_service
from shared.services.earn_batches import Item
from shared.services.tills import Cashier
from shared.tables.operation import Outcome

TILL = "/till"
SENT_MAX = 8
"""Kept sales in one form: a form is read up to four kilobytes."""
_SCRIPT = "till.js"
_CHANNEL = "till"
_TOLD = "till_"
_KEY_LENGTH = 16

site = Site("till", TILL, f"{TILL}{REST}", home=TILL)


class KeptSale(Record):
    """A sale that a till has kept while it was offline: of a member whom it knew, or of who has what was scanned."""

    order_id: Reference
    placed_at: Instant
    total: PositiveAmount
    store_id: Reference
    member_id: Reference | None = None
    who: Reference | None = None

    def item(self) -> Item | None:
        """What to credit; None: nobody can have what was scanned."""
        whose = self.member_id or tills.identifier(self.who or "")
        return Item(whose, _order(self.order_id, self.total, self.store_id, self.placed_at)) if whose else None


_KEPT: TypeAdapter[tuple[KeptSale, ...]] = TypeAdapter(
    Annotated[tuple[KeptSale, ...], Field(min_length=1, max_length=SENT_MAX)]
)


@site.get(f"{TILL}/sign-in")
def show_sign_in() -> Answer:
    return _sign_in_page({})


@site.post(f"{TILL}/sign-in")
def sign_in() -> Answer:
    try:
        token = tills.enter(site.form().get("code", ""), now=clock.now())
    except LoyaltyError as error:
        return _sign_in_page({"code": refusal(site.visit().language, error, _TOLD)}, STATUS[error.code])
    session = cookies.made("till", token, int(SESSION_LASTS.total_seconds()))
    return redirect(TILL, [session, cookies.ended("visit")])


@site.post(f"{TILL}/sign-out")
def sign_out() -> Answer:
    if token := site.visit().session:
        tills.end(token)
    return redirect(f"{TILL}/sign-in", [cookies.ended("till")])


@site.get(TILL)
def show_till() -> Answer:
    return _till_page(_cashier(), {})


@site.post(f"{TILL}/find")
def find() -> Answer:
    cashier, who = _cashier(), site.form().get("who", "")
    try:
        member_id = tills.find(who, cashier=cashier, now=clock.now())
    except LoyaltyError as error:
        return _till_page(cashier, {"who": refusal(site.visit().language, error, _TOLD)}, STATUS[error.code], who)
    return redirect(_member_path(member_id))


@site.get(f"{TILL}/members/<member_id>")
def show_member(member_id: str) -> Answer:
    return _member_page(_cashier(), member_id)


@site.post(f"{TILL}/members/<member_id>/sale")
def sell(member_id: str) -> Answer:
    cashier, visit, form = _cashier(), site.visit(), site.form()
    try:
        order = _order(_key(form), _amount(form), cashier.store_id)
        earning.earn_order(member_id, order, caller=cashier.caller, now=clock.now())
    except InvalidRequestError as error:
        return _member_page(cashier, member_id, faults(visit.language, error, "amount"), STATUS[error.code])
    except LoyaltyError as error:
        return _member_page(cashier, member_id, {"": refusal(visit.language, error, _TOLD)}, STATUS[error.code])
    return redirect(_member_path(member_id), said="till_sold")


@site.post(f"{TILL}/members/<member_id>/rewards/<reward_id>")
def redeem(member_id: str, reward_id: str) -> Answer:
    cashier, form = _cashier(), site.form()

    def take(now: datetime) -> object:
        request = of_form(RewardRequest, {"reward_id": reward_id, "capture": True})
        return redemptions.redeem(member_id, request, key=_key(form), caller=cashier.caller, now=now)

    return _done(cashier, member_id, take, "till_redeemed")


@site.post(f"{TILL}/members/<member_id>/orders/<order_id>/undo")
def undo_sale(member_id: str, order_id: str) -> Answer:
    cashier = _cashier()
    return _done(
        cashier, member_id, lambda now: tills.undo_sale(member_id, order_id, cashier=cashier, now=now), "till_undone"
    )


@site.post(f"{TILL}/members/<member_id>/redemptions/<redemption_id>/undo")
def undo_redemption(member_id: str, redemption_id: str) -> Answer:
    cashier = _cashier()
    return _done(
        cashier,
        member_id,
        lambda now: tills.undo_redemption(member_id, redemption_id, cashier=cashier, now=now),
        "till_undone",
    )


@site.get(f"{TILL}/voucher")
def show_voucher_search() -> Answer:
    return _voucher_page(_cashier(), "")


@site.post(f"{TILL}/voucher")
def find_voucher() -> Answer:
    return _voucher_page(_cashier(), site.form().get("voucher", ""))


@site.post(f"{TILL}/voucher/use")
def use_voucher() -> Answer:
    cashier, form = _cashier(), site.form()
    code = form.get("voucher", "")
    return _voucher_done(
        cashier,
        code,
        lambda now: vouchers.use(
            of_form(Use, {"code": code, "reference": _key(form), "store_id": cashier.store_id}),
            caller=cashier.caller,
            now=now,
        ),
        "till_used",
    )


@site.post(f"{TILL}/voucher/undo")
def undo_voucher() -> Answer:
    cashier, form = _cashier(), site.form()
    code = form.get("voucher", "")
    return _voucher_done(
        cashier,
        code,
        lambda now: tills.undo_use(code, form.get("reference", ""), cashier=cashier, now=now),
        "till_undone",
    )


@site.post(f"{TILL}/kept")
def send_kept() -> Answer:
    """Answers the script: what became of each sale, and what time it is."""
    cashier, now, language = _cashier(), clock.now(), site.visit().language
    try:
        sales = _KEPT.validate_json(site.form().get("sales", ""))
    except ValidationError as error:
        raise InvalidRequestError(Fault("/sales", "are not sales that a till keeps")) from error
    outcomes = [_earned(sale, cashier, now) for sale in sales]
    items = [
        {
            "order_id": sale.order_id,
            "status": STATUS[outcome.code] if isinstance(outcome, LoyaltyError) else HTTPStatus.OK,
            "text": refusal(language, outcome, _TOLD) if isinstance(outcome, LoyaltyError) else "",
        }
        for sale, outcome in zip(sales, outcomes, strict=True)
    ]
    body = json.dumps({"now": int(now.timestamp() * 1000), "items": items})
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Answer(status_code=int(HTTPStatus.OK), content_type=JSON_TYPE, headers=headers, body=body)


def _sign_in_first(_error: UnauthenticatedError) -> Answer:
    return redirect(f"{TILL}/sign-in", [cookies.ended("till")] if site.visit().session else ())


site.exception_handler(UnauthenticatedError)(_sign_in_first)


def _cashier() -> Cashier:
    """Whoever is signed in. Raises UnauthenticatedError."""
    token = site.visit().session
    cashier = tills.signed_in(token, now=clock.now()) if token else None
    if cashier is None:
        raise UnauthenticatedError("nobody is signed in at this till")
    return cashier


def _earned(sale: KeptSale, cashier: Cashier, now: datetime) -> Outcome | LoyaltyError:
    """What came of a kept sale. One of another store is not this cashier's to book."""
    if sale.store_id != cashier.store_id:
        return ForbiddenError("the sale was made at another store")
    item = sale.item()
    if item is None:
        return MemberNotFoundError("nobody can have this card or address")
    [outcome] = earn_batches.earn_each([item], caller=cashier.caller, now=now)
    return outcome


def _order(order_id: str, total: int, store_id: str, placed_at: datetime | None = None) -> OrderEarn:
    given = {
        "type": "order",
        "order_id": order_id,
        "placed_at": placed_at,
        "currency": program_service.read_program().currency,
        "total": total,
        "channel": _CHANNEL,
        "store_id": store_id,
    }
    return of_form(OrderEarn, given)


def _key(form: Mapping[str, str]) -> str:
    """What tells a form from another: the same one, sent again, does nothing more. Raises InvalidRequestError."""
    key = form.get("key", "")
    if not key.isascii() or not key.isalnum() or len(key) != _KEY_LENGTH:
        raise InvalidRequestError(Fault("/key", "is not of a form of ours"))
    return f"till-{key}"


def _amount(form: Mapping[str, str]) -> int:
    """The minor units that were typed. Raises InvalidRequestError."""
    amount = minor_units(form.get("amount", ""), program_service.read_program().currency)
    if not amount:
        raise InvalidRequestError(Fault("/amount", "is not an amount"))
    return amount


def _member_path(member_id: str) -> str:
    return f"{TILL}/members/{quote(member_id, safe='')}"


def _done(cashier: Cashier, member_id: str, does: Callable[[datetime], object], said: str) -> Answer:
    """Back to the member when something was done, or there with why it was not."""
    try:
        does(clock.now())
    except LoyaltyError as error:
        wrong = {"": refusal(site.visit().language, error, _TOLD)}
        return _member_page(cashier, member_id, wrong, STATUS[error.code])
    return redirect(_member_path(member_id), said=said)


def _voucher_done(cashier: Cashier, code: str, does: Callable[[datetime], object], said: str) -> Answer:
    try:
        does(clock.now())
    except LoyaltyError as error:
        return _voucher_page(cashier, code, refusal(site.visit().language, error, _TOLD), STATUS[error.code])
    return _voucher_page(cashier, code, said=said)


def _page(template: str, cashier: Cashier | None, status: int = HTTPStatus.OK, **values: Any) -> Answer:  # noqa: ANN401
    key = drawn(runtime.random().choice, _KEY_LENGTH)
    currency = program_service.read_program().currency
    exponent = len(str(minor_units("1", currency) or 1)) - 1
    at = int(clock.now().timestamp() * 1000)
    values = {"said": site.query("said"), "wrong": {}, **values}
    return page(
        template,
        site.visit(),
        status=status,
        script=_SCRIPT,
        cashier=cashier,
        key=key,
        exponent=exponent,
        at=at,
        **values,
    )


def _sign_in_page(wrong: Mapping[str, str], status: int = HTTPStatus.OK) -> Answer:
    return _page("till_sign_in.html", None, status, wrong=wrong)


def _till_page(cashier: Cashier, wrong: Mapping[str, str], status: int = HTTPStatus.OK, who: str = "") -> Answer:
    return _page("till.html", cashier, status, wrong=wrong, who=who)


def _member_page(
    cashier: Cashier, member_id: str, wrong: Mapping[str, str] | None = None, status: int = HTTPStatus.OK
) -> Answer:
    now = clock.now()
    found = accounts.read_account(member_id, caller=cashier.caller)
    profile = address_changes.read_member(member_id, caller=cashier.caller, now=now)
    return _page(
        "till_member.html",
        cashier,
        status,
        wrong=wrong or {},
        member=profile.member,
        account=account_answer(found.account, found.program, now, found.others),
        ready=rewards.to_be_had(found.account, found.others, now=now),
        recent=tills.undoable(member_id, cashier=cashier, now=now),
    )


def _voucher_page(
    cashier: Cashier, code: str, refused: str = "", status: int = HTTPStatus.OK, said: str | None = None
) -> Answer:
    now, found, undoable = clock.now(), None, None
    wrong = {"": refused} if refused else {}
    if code:
        try:
            found = tills.find_voucher(code, cashier=cashier, now=now)
            own = [one.entry for one in found.uses if not one.undone_at]
            undoable = next((one for one in reversed(own) if tills.is_undoable(one, cashier=cashier, now=now)), None)
        except LoyaltyError as error:
            wrong, status = {"voucher": refusal(site.visit().language, error, _TOLD)}, STATUS[error.code]
    names = {reward.reward_id: reward.name for reward in program_service.read_program().redeeming.rewards}
    return _page(
        "till_voucher.html",
        cashier,
        status,
        wrong=wrong,
        code=code,
        found=found,
        undoable=undoable,
        names=names,
        said=said,
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return site.resolve(event, context)
