"""What a deployed stack is made of, stacks inside it included, and what it puts out."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

STACK_TYPE = "AWS::CloudFormation::Stack"
_HASH = "[0-9A-F]{8}"
"""What the CDK puts behind a construct's name."""


class Made(NamedTuple):
    """A resource as it is in the account."""

    type_: str
    physical_id: str
    """Empty where it could not be made."""


def resources_of(cloudformation: Any, stack: str) -> Mapping[str, Made]:  # noqa: ANN401 - boto3 has a class for each
    """Every resource of a stack, by logical id, however many there are. Raises ClientError if there is no such stack.

    A stack inside it is read in its turn. Where both use a logical id, the outer one's resource is meant.
    """
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    own = {
        one["LogicalResourceId"]: Made(one["ResourceType"], one.get("PhysicalResourceId", ""))
        for page in pages
        for one in page["StackResourceSummaries"]
    }
    inner: dict[str, Made] = {}
    for made in own.values():
        if made.type_ == STACK_TYPE and made.physical_id:
            inner |= resources_of(cloudformation, made.physical_id)
    return {**inner, **own}


def outputs_of(cloudformation: Any, stack: str) -> Mapping[str, str]:  # noqa: ANN401 - as above
    """What a stack puts out, by name. Raises ClientError if there is no such stack."""
    [described] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", ())}


def named(resources: Mapping[str, Made], construct: str) -> Made | None:
    """The one that the CDK made of a construct of this name; None if there is none, or several."""
    id_ = re.compile(re.escape(construct) + _HASH)
    found = [made for logical, made in resources.items() if id_.fullmatch(logical)]
    return found[0] if len(found) == 1 else None


def alarm_name(stack: str, name: str) -> str:
    """How an alarm of a stack is called. No other stack's name has a slash, so none of its alarms begins alike."""
    return f"{stack}/{name}"
