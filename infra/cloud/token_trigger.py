"""Runs before Cognito issues a token: says whose it is, and keeps operators' scope to operators.

A person is linked to a member by an attribute that no client may write; a machine is a partner's if its client may ask
for the scope that is called as the partner, or if it signs in as a user whom another such attribute links to the
partner. An operator needs a second factor: Cognito demands it of whoever has one, so here it is enough to see that they
do. Who has none gets a token to set one up with, and nothing else.
"""

import os

OPERATOR = "loyalty/operator"
OPERATORS = "operators"
PARTNER = "loyalty/partner"
PARTNERS = "partner/"
OWN_ACCOUNT = "aws.cognito.signin.user.admin"


def handler(event, context):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG001
    request = event["request"]
    token: dict[str, object] = {}
    claims = {}
    attributes = request.get("userAttributes") or {}
    if attributes.get("custom:member_id"):
        claims["member_id"] = attributes["custom:member_id"]
    of_partners = [scope for scope in request.get("scopes") or [] if scope.startswith(PARTNERS)]
    if len(of_partners) == 1:
        claims["partner_id"] = of_partners[0][len(PARTNERS) :]
    if attributes.get("custom:partner_id"):
        claims["partner_id"] = attributes["custom:partner_id"]
        token["scopesToAdd"] = [PARTNER]
    if claims:
        token["claimsToAddOrOverride"] = claims
    groups = (request.get("groupConfiguration") or {}).get("groupsToOverride") or []  # a machine is in none
    is_operator = OPERATORS in groups
    if not is_operator:
        token["scopesToSuppress"] = [OPERATOR, OWN_ACCOUNT]
    elif os.environ.get("SECOND_FACTOR") == "required" and not has_second_factor(event):
        token["scopesToSuppress"] = [OPERATOR]
    event["response"]["claimsAndScopeOverrideDetails"] = {"accessTokenGeneration": token}
    return event


def has_second_factor(event: dict[str, str]) -> bool:
    import boto3  # noqa: PLC0415 - for operators alone

    person = boto3.client("cognito-idp").admin_get_user(UserPoolId=event["userPoolId"], Username=event["userName"])
    return bool(person.get("UserMFASettingList"))
