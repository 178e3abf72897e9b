"""What a stack was deployed with. Its template says so, and whatever is left out at the next deployment stays.

Without that, whoever forgot `loyalty_table_arn` once would make an empty table, and point all tills at it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.cloud.preflight import Finding
from infra.errors import LocalError

OPTIONS = "Options"
"""Where a template's metadata has them."""
_WHERE_DATA_ARE = frozenset(
    {
        "loyalty_table_arn",
        "stream_arn",
        "people_table_arn",
        "people_key_arn",
        "identity_secret_arn",
        "due_shards",
        "issuer",
    }
)


def options_of(client: Callable[[str], Any], stack: str) -> Mapping[str, str]:
    """The options of a stack that are not as they are if left out; none if there is no such stack, or no way to AWS.

    `client` makes clients of an account, by their services' names. Raises LocalError if AWS does not tell.
    """
    try:
        template = client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    except ClientError as error:
        if "does not exist" in str(error):
            return {}
        raise LocalError(
            f"AWS does not tell what {stack} was deployed with: {error}\n"
            "sign in (aws sso login, or export AWS_PROFILE=NAME), and allow cloudformation:GetTemplate"
        ) from error
    except BotoCoreError:  # no credentials or no region, as the look at the account says
        return {}
    body = template if isinstance(template, dict) else json.loads(template)
    options: Mapping[str, str] = body.get("Metadata", {}).get(OPTIONS, {})
    return options


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Finding]:
    """What a deployment changes of a stack's options."""
    for name in sorted({*before, *after}):
        was, becomes = (one.get(name) or "what it is if left out" for one in (before, after))
        if was == becomes:
            continue
        told = f"{name} changes from {was} to {becomes}"
        if name in _WHERE_DATA_ARE:
            mend = f"if you do not mean it, stop here and leave out -c {name}"
            yield Finding("mind", f"{told}: it says where members' data are found", mend)
        else:
            yield Finding("fine", told)
