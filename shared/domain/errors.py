"""Refusals. Each has a stable `code`, which the HTTPS contract publishes, and says whether trying again can help."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a request: where (a JSON pointer) and what to do about it."""

    pointer: str
    detail: str


class LoyaltyError(Exception):
    """The request is refused and nothing was written; `detail` says why in words for the caller."""

    code: ClassVar[str]
    retryable: ClassVar[bool] = False
    retry_after_seconds = 1
    """How long to wait before another try, where one can help."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidRequestError(LoyaltyError):
    """The request breaks a stated rule; each fault is named with its place."""

    code = "invalid_request"

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{one.pointer}: {one.detail}" if one.pointer else one.detail for one in faults))
        self.faults = faults


def foreign_cursor() -> InvalidRequestError:
    """The refusal of a cursor that comes from no page of the list."""
    return InvalidRequestError(Fault("query:cursor", "is not a cursor of this list; leave it out for the first page"))


class InTheFutureError(InvalidRequestError):
    """It is said to have happened later than now."""

    code = "in_the_future"


class TooLateError(InvalidRequestError):
    """It happened longer ago than the program takes it."""

    code = "too_late"


class MalformedJsonError(LoyaltyError):
    """The body is not JSON."""

    code = "malformed_json"


class IdempotencyKeyRequiredError(LoyaltyError):
    """The operation has no natural key and the header that replaces it is missing."""

    code = "idempotency_key_required"


class IdempotencyMismatchError(LoyaltyError):
    """The key was used before, for something else."""

    code = "idempotency_mismatch"


class UnauthenticatedError(LoyaltyError):
    """Nobody valid is calling."""

    code = "unauthenticated"


class ForbiddenError(LoyaltyError):
    """The caller may not do this."""

    code = "forbidden"


class RouteNotFoundError(LoyaltyError):
    """No such path."""

    code = "route_not_found"


class MethodNotAllowedError(LoyaltyError):
    """The path is there, but not with this method; the header `Allow` names those that it takes."""

    code = "method_not_allowed"


class MemberNotFoundError(LoyaltyError):
    """No such member, or not one that the caller may know of."""

    code = "member_not_found"


class UnknownMemberError(MemberNotFoundError):
    """Nobody has this `member_id`, or nobody that the caller may know of."""

    def __init__(self, member_id: str) -> None:
        super().__init__(f"there is no member {member_id}")


class MemberNotActiveError(LoyaltyError):
    """The member was erased, or never agreed to the terms."""

    code = "member_not_active"


class MemberMergedError(MemberNotActiveError):
    """The member was merged into another, which `merged_into` names."""

    code = "member_merged"

    def __init__(self, member_id: str, merged_into: str) -> None:
        super().__init__(f"the member {member_id} was merged into {merged_into}")
        self.member_id = member_id
        self.merged_into = merged_into


class ConsentRequiredError(LoyaltyError):
    """The member is provisional: they have not agreed to the terms."""

    code = "consent_required"


class NotEligibleError(LoyaltyError):
    """The person may not become a member, or not yet."""

    code = "not_eligible"


class RewardNotFoundError(LoyaltyError):
    """The program has no such reward."""

    code = "reward_not_found"


class RememberedNotFoundError(LoyaltyError):
    """Nothing of an earlier account waits for the person, or has been booked on their account."""

    code = "remembered_not_found"


class CampaignNotFoundError(LoyaltyError):
    """The program has no such campaign."""

    code = "campaign_not_found"


class ReportNotFoundError(LoyaltyError):
    """No such report was stored: no job has made it yet, or there is none of that name."""

    code = "report_not_found"


class LinkNotFoundError(LoyaltyError):
    """No message carries this link."""

    code = "link_not_found"


class RewardUnavailableError(LoyaltyError):
    """The reward exists, but not now or not for this member."""

    code = "reward_unavailable"


class RedemptionNotFoundError(LoyaltyError):
    """The member has no such redemption."""

    code = "redemption_not_found"


class VoucherNotFoundError(LoyaltyError):
    """Nobody has a voucher with such a code, or not one that the caller may know of."""

    code = "voucher_not_found"


class VoucherUsedError(LoyaltyError):
    """Nothing is left of the voucher, or less than is asked for."""

    code = "voucher_used"


class VoucherExpiredError(LoyaltyError):
    """The voucher's last day has passed."""

    code = "voucher_expired"


class WebhookNotFoundError(LoyaltyError):
    """There is no such webhook."""

    code = "webhook_not_found"


class ReviewNotFoundError(LoyaltyError):
    """There is no such review."""

    code = "review_not_found"


class MemberFrozenError(LoyaltyError):
    """An operator has frozen the member: nothing is spent or given away."""

    code = "member_frozen"


class PoolNotFoundError(LoyaltyError):
    """There is no such pool, or not one that the caller may know of."""

    code = "pool_not_found"


class CodeExpiredError(LoyaltyError):
    """A code is wrong, was used, or is no longer valid; which of these is not said."""

    code = "code_expired"


class GiftNotFoundError(LoyaltyError):
    """The member has neither given nor been offered such a gift."""

    code = "gift_not_found"


class RefundNotFoundError(LoyaltyError):
    """The order has no such refund."""

    code = "refund_not_found"


class EntryNotFoundError(LoyaltyError):
    """The member has no such entry."""

    code = "entry_not_found"


class OrderNotFoundError(LoyaltyError):
    """No order of that id has earned points."""

    code = "order_not_found"


class OrderBelongsToAnotherMemberError(LoyaltyError):
    """The order's points were credited to somebody else."""

    code = "order_belongs_to_another_member"


class IdentifierTakenError(LoyaltyError):
    """Another member has this e-mail address, phone number, card or external id."""

    code = "identifier_taken"


class InsufficientPointsError(LoyaltyError):
    """The balance does not cover it."""

    code = "insufficient_points"


class InvalidStateError(LoyaltyError):
    """What is asked does not follow from the state that things are in."""

    code = "invalid_state"


class NotOfferedError(LoyaltyError):
    """The program has switched off what was asked for."""

    code = "not_offered"


class NothingChangesError(InvalidStateError):
    """What is asked is so already. Never answered: the caller gets what exists."""


class RefundExceedsOrderError(LoyaltyError):
    """The refunds together would exceed what was paid."""

    code = "refund_exceeds_order"


class OrderPaidError(LoyaltyError):
    """Redemptions would pay more of an order than it comes to, or than the program lets them."""

    code = "order_paid"


class ProgramChangedError(LoyaltyError):
    """The program was replaced since the caller read it."""

    code = "program_changed"


class PartnerNotFoundError(LoyaltyError):
    """The program has no such partner, or the token is another's."""

    code = "partner_not_found"


class PartnerFundingExhaustedError(LoyaltyError):
    """What a prepaid partner has paid in does not cover the points."""

    code = "partner_funding_exhausted"


class PartnerLimitReachedError(LoyaltyError):
    """A partner gives or redeems no more points until its next month or day."""

    code = "partner_limit_reached"


class BodyTooLargeError(LoyaltyError):
    """The body exceeds what any valid request needs."""

    code = "body_too_large"


class UnsupportedMediaTypeError(LoyaltyError):
    """The body is not declared as JSON."""

    code = "unsupported_media_type"


class TooManyRequestsError(LoyaltyError):
    """More is asked at once than is answered; nothing was done."""

    code = "too_many_requests"
    retryable = True

    def __init__(self, detail: str, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class TryAgainError(LoyaltyError):
    """The write did not happen, or may be repeated safely under its key."""

    code = "try_again"
    retryable = True
