"""How members come, are known, and go; and the memberships that they pay for."""

from datetime import datetime
from typing import Any

from infra.simulation.traffic.knowledge import Knowledge
from infra.simulation.traffic.requests import OLGA, TILL, Request
from shared.domain.earning.orders import Order
from shared.domain.members.members import Consent, Enrollment, Marketing, Member, OneIdentifier
from shared.domain.points.paid_plans import Payment
from shared.services import accounts, automatic_enrolment, consent, enrolment, erasure, merges, paid_plans
from shared.services.accounts import AccountView
from shared.services.asking import Asked
from shared.services.consent import Agreement
from shared.services.enrolment import Enrolled
from shared.services.erasure import Awaited, Erased
from shared.services.paid_plans import Cancellation
from shared.tables.operation import Outcome


class Members:
    """Requests about a member themselves."""

    def __init__(self, known: Knowledge) -> None:
        self._known, self._random = known, known.random

    def enroll(self) -> Request[Enrolled]:
        """Join, perhaps with an address, perhaps through a friend."""
        name = self._known.new("m")
        details: dict[str, Any] = {"external_id": name}
        if self._random.randrange(8) == 0:
            details["email"] = f"{name}@shop.example"
            details["consent"] = Consent(terms_version="1", marketing=Marketing(email=True))
        if self._known.codes and self._random.randrange(2):
            details["referral_code"] = self._random.choice(self._known.codes)
        body = Enrollment(**details)

        def call(now: datetime) -> Enrolled:
            return enrolment.enroll_member(body, key=name, caller=TILL, now=now)

        def learn(enrolled: Enrolled) -> None:
            self._known.members.append(enrolled.member.member_id)
            if enrolled.member.referral_code:
                self._known.codes.append(enrolled.member.referral_code)

        return Request("enroll", call, learn=learn)

    def arrive(self) -> Request[Outcome]:
        """Credit an order to whoever has an identifier."""
        who, order_id = f"x-{self._random.randrange(6)}", self._known.new("o")
        total = self._random.choice((250, 1300, 2500))
        order = Order(order_id=order_id, placed_at=self._known.lately(), currency="USD", total=total)
        identifier = OneIdentifier(external_id=who)

        def call(now: datetime) -> Outcome:
            return automatic_enrolment.earn_by_identifier(identifier, order, caller=TILL, now=now)

        def learn(outcome: Outcome) -> None:
            member_id = outcome.accounts[0].member_id
            self._known.orders.append((member_id, order_id, total))
            if member_id not in self._known.members:
                self._known.members.append(member_id)

        return Request("arrive", call, (f"ORDER#{order_id}", "EARN"), learn)

    def agree(self) -> Request[Member]:
        """Agree to the terms."""
        member_id, body = self._known.member(), Agreement(terms_version="1")
        return Request("agree", lambda now: consent.agree(member_id, body, caller=TILL, now=now))

    def read(self) -> Request[AccountView]:
        """Look at an account."""
        member_id = self._known.member()
        return Request("read", lambda _: accounts.read_account(member_id, caller=TILL))

    def pay_membership(self) -> Request[Outcome]:
        """Begin or renew a membership."""
        member_id, reference = self._known.member(), self._known.new("s")
        paid_at = self._known.lately()
        payment = Payment(plan_id="plus", reference=reference, amount=900, currency="USD", paid_at=paid_at)

        def call(now: datetime) -> Outcome:
            return paid_plans.pay_membership(member_id, payment, caller=TILL, now=now)

        def learn(_: Outcome) -> None:
            self._known.plans.append(member_id)

        return Request("membership", call, (f"MEMBERSHIP#{reference}", "PAID"), learn)

    def cancel_membership(self) -> Request[Outcome] | None:
        """End a membership."""
        if not self._known.plans:
            return None
        member_id, body = self._random.choice(self._known.plans), Cancellation(reference=self._known.new("s"))

        def call(now: datetime) -> Outcome:
            return paid_plans.cancel_membership(member_id, body, caller=TILL, now=now)

        return Request("cancel membership", call, (f"MEMBERSHIP#{body.reference}", "CANCEL"))

    def merge(self) -> Request[Outcome | Asked] | None:
        """Take another member in."""
        gone, into = self._known.member(), self._known.member()
        if gone == into:
            return None

        def call(now: datetime) -> Outcome | Asked:
            return merges.merge_members(into, gone, caller=TILL, now=now)

        def learn(_: Outcome | Asked) -> None:
            self._known.forget(gone)

        return Request("merge", call, (f"MERGE#{gone}#{into}", "OUT"), learn)

    def erase(self) -> Request[Erased | Awaited]:
        """Forget a member."""
        member_id = self._known.member()

        def call(now: datetime) -> Erased | Awaited:
            return erasure.erase_member(member_id, caller=OLGA, now=now)

        def learn(_: Erased | Awaited) -> None:
            self._known.forget(member_id)

        return Request("erase", call, learn=learn)
