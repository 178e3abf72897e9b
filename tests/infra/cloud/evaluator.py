"""Decides as IAM does, over policies as a template has them: a Deny beats every Allow; what nothing allows is denied.

The emulator knows no conditions on partition keys and no key policies. This knows no more than the stack uses: whatever
else a policy says fails loudly. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

ACCOUNT, REGION = "123456789012", "us-east-1"
_PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
_KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition", "Principal"}

Statement = Mapping[str, Any]


class Request(NamedTuple):
    """What is asked; a key of `context` that is not there is absent, and one may have many values."""

    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = {}
    principal: str = ""
    """The service or account that asks, where a resource's own policy decides."""


def rendered(value: Any) -> str:
    """A value of the template as text: what is only known after a deployment is called by its logical id."""
    if isinstance(value, str):
        return value
    [(function, argument)] = value.items()
    if function == "Ref":
        return _PSEUDO.get(argument, f"<{argument}>")
    if function == "Fn::GetAtt":
        return f"<{argument[0]}.{argument[1]}>"
    if function == "Fn::Join":
        return str(argument[0]).join(rendered(part) for part in argument[1])
    raise AssertionError(f"{function} is not known here")


def is_allowed(statements: Iterable[Statement], request: Request) -> bool:
    """Whether a request is let through."""
    effects = {one["Effect"] for one in statements if _fits(one, request)}
    return effects == {"Allow"}


def _fits(statement: Statement, request: Request) -> bool:
    unknown = set(statement) - _KNOWN
    assert not unknown, f"{unknown} is not known here"
    return (
        any(_is_like(request.action, pattern, ignores_case=True) for pattern in _listed(statement["Action"]))
        and any(_is_like(request.resource, rendered(pattern)) for pattern in _listed(statement["Resource"]))
        and _is_by(statement, request.principal)
        and all(
            _holds(operator, key, [rendered(one) for one in _listed(wanted)], request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _is_by(statement: Statement, principal: str) -> bool:
    stated = statement.get("Principal")
    if stated is None or stated == "*":
        return (stated is None) is (principal == "") or stated == "*"
    return principal in [rendered(one) for kind in stated.values() for one in _listed(kind)]


def _holds(operator: str, key: str, wanted: Sequence[str], context: Mapping[str, Sequence[str]]) -> bool:
    given = next((values for name, values in context.items() if name.lower() == key.lower()), None)
    if operator == "Null":
        [is_absent] = wanted
        return (given is None) is (is_absent == "true")
    quantifier, _, plain = operator.rpartition(":")
    test = _OPERATORS.get(plain)
    assert test is not None, f"{operator} is not known here"
    assert quantifier in {"", "ForAllValues"}, f"{operator} is not known here"
    if quantifier:  # of no value, every value is one of them
        return all(any(test(one, pattern) for pattern in wanted) for one in given or ())
    if given is None:
        return False
    assert len(given) == 1, f"{key} has many values, for which {operator} is not made"
    return any(test(given[0], pattern) for pattern in wanted)


def _is_like(text: str, pattern: str, *, ignores_case: bool = False) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, text, re.DOTALL | (re.IGNORECASE if ignores_case else 0)) is not None


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda one, wanted: one == wanted,
    "StringLike": _is_like,
    "ArnEquals": _is_like,
    "ArnLike": _is_like,
    "Bool": lambda one, wanted: one.lower() == wanted.lower(),
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
