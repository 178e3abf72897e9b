"""Who is calling: read from the claims of the token, which the gateway has verified."""

from collections.abc import Callable

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from shared.api.answers import Answer
from shared.api.routes import SECURITY_SCHEME
from shared.caller import Caller, claimed_scopes
from shared.domain.errors import ForbiddenError, UnauthenticatedError


def caller(app: APIGatewayHttpResolver) -> Caller:
    """Who is calling. Raises UnauthenticatedError if the gateway handed on no claims."""
    claims = (app.current_event.request_context.get("authorizer") or {}).get("jwt", {}).get("claims")
    if not claims:
        raise UnauthenticatedError("a bearer token is needed")
    subject = claims.get("sub") or claims.get("client_id") or "unknown"
    scopes = claimed_scopes(claims) & wanted_scopes(app)
    return Caller(subject, scopes, claims.get("member_id"), claims.get("partner_id"))


def authorize(app: APIGatewayHttpResolver, next_middleware: Callable[[APIGatewayHttpResolver], Answer]) -> Answer:
    """The gateway checks scopes too; a route that it was not told about is refused here."""
    wanted = wanted_scopes(app)
    if wanted and not caller(app).scopes:
        raise ForbiddenError(f"this needs a token with one of the scopes {', '.join(sorted(wanted))}")
    return next_middleware(app)


def wanted_scopes(app: APIGatewayHttpResolver) -> frozenset[str]:
    """The scopes that open the route in hand; none: it is open to everybody."""
    security: list[dict[str, list[str]]] = getattr(app.context["_route"], "security", None) or []
    return frozenset(scope for scheme in security for scope in scheme[SECURITY_SCHEME])
