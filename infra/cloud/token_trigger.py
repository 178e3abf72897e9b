"""Runs before Cognito issues a token: says which member the person is, and keeps operators' scope to operators."""

OPERATOR = "loyalty/operator"
OPERATORS = "operators"


def handler(event, context):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG001
    request = event["request"]
    token: dict[str, object] = {}
    member_id = request["userAttributes"].get("custom:member_id")
    if member_id:
        token["claimsToAddOrOverride"] = {"member_id": member_id}
    if OPERATORS not in (request.get("groupConfiguration", {}).get("groupsToOverride") or []):
        token["scopesToSuppress"] = [OPERATOR]
    event["response"]["claimsAndScopeOverrideDetails"] = {"accessTokenGeneration": token}
    return event
