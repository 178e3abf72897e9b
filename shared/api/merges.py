"""Calls that name a member who has become another: a shop's go to that one, and people are told who it is."""

from collections.abc import Callable

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from shared.api.answers import Answer
from shared.api.auth import caller, wanted_scopes
from shared.caller import PARTNER, STOREFRONT
from shared.domain.errors import MemberMergedError
from shared.domain.spending.merges import MERGES_MAX


def follow_merges(app: APIGatewayHttpResolver, next_middleware: Callable[[APIGatewayHttpResolver], Answer]) -> Answer:
    """Carries a storefront's or partner's request out for whom the member in its path has become.

    A refusal has written nothing, so the same request is made anew. For everybody else, and where the body names the
    member, MemberMergedError is the answer.
    """
    if not wanted_scopes(app) or not caller(app).scopes & {STOREFRONT, PARTNER}:
        return next_middleware(app)
    # A member takes in so many others at most, ever: no chain of merges is longer.
    for _ in range(MERGES_MAX):
        try:
            return next_middleware(app)
        except MemberMergedError as error:
            arguments = app.context["_route_args"]
            if arguments.get("member_id") != error.member_id:
                raise
            app.context["_route_args"] = {**arguments, "member_id": error.merged_into}
    return next_middleware(app)
