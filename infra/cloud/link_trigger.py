"""Runs when somebody who has signed up has confirmed their address: links them to the member whose address it is.

Members are found by confirmed addresses alone, so both sides are known to be the same person's: the member's by what
the shop or the member's own link has confirmed, this person's by the code that Cognito has just had back. Who is no
member stays linked to none, and reaches nothing. Who is linked already stays so.
"""

import json
import os

SIGNED_UP = "PostConfirmation_ConfirmSignUp"
LOOK_UP = "/v1/members/lookup"
OK, NOT_FOUND = 200, 404


def handler(event, context):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG001
    attributes = event["request"].get("userAttributes") or {}
    is_linked = attributes.get("custom:member_id") or attributes.get("custom:partner_id")
    if event["triggerSource"] != SIGNED_UP or attributes.get("email_verified") != "true" or is_linked:
        return event
    member_id = found_by(attributes["email"])
    if member_id:
        link(event, member_id)
    return event


def found_by(email: str) -> str | None:
    """The member of an address, as a storefront that looks them up is told it."""
    import boto3  # noqa: PLC0415 - for new people alone

    claims = {"scope": "loyalty/storefront", "sub": "sign-up", "client_id": "sign-up"}
    request = {
        "version": "2.0",
        "rawPath": LOOK_UP,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "http": {"method": "POST", "path": LOOK_UP},
            "stage": "$default",
            "authorizer": {"jwt": {"claims": claims}},
        },
        "body": json.dumps({"email": email}),
        "isBase64Encoded": False,
    }
    answer = boto3.client("lambda").invoke(FunctionName=os.environ["ENROLL"], Payload=json.dumps(request))
    told = json.load(answer["Payload"])
    if "FunctionError" in answer or told["statusCode"] not in (OK, NOT_FOUND):
        # The address is personal, so what was asked and what was answered stay out of the log.
        raise RuntimeError(f"the look-up failed: {told.get('statusCode')}")
    return str(json.loads(told["body"])["member_id"]) if told["statusCode"] == OK else None


def link(event: dict[str, str], member_id: str) -> None:
    import boto3  # noqa: PLC0415

    linked = [{"Name": "custom:member_id", "Value": member_id}]
    boto3.client("cognito-idp").admin_update_user_attributes(
        UserPoolId=event["userPoolId"], Username=event["userName"], UserAttributes=linked
    )
