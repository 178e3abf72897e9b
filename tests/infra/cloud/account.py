"""An account on AWS that answers as it is told to: real clients, whose answers are checked against AWS's own models."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import boto3
from botocore import xform_name
from botocore.exceptions import ParamValidationError
from botocore.model import OperationModel
from botocore.validate import validate_parameters

ACCOUNT, REGION = "123456789012", "eu-central-1"
_SESSION = boto3.session.Session("key", "secret", region_name=REGION)
"""One for all: it keeps the models that it has read."""


class Refusal(NamedTuple):
    """An error that AWS answers with."""

    code: str


Answer = Mapping[str, Any] | Refusal | Callable[[Mapping[str, Any]], Any]
"""What a call is answered with, or what makes that of its arguments."""


class Account:
    """Answers calls by `answers`, named as `sesv2.get_account` is. What is not there is refused. Notes all `calls`."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = dict(answers)
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    def client(self, service: str) -> Any:
        """A client of this account."""
        made: Any = _SESSION.client(service)  # type: ignore[call-overload]
        asked: dict[str, Mapping[str, Any]] = {}

        def note(params: Mapping[str, Any], **_: Any) -> None:
            asked["params"] = params

        def answer(model: OperationModel, **_: Any) -> Any:
            return self._answer(service, model, asked["params"])

        made.meta.events.register("provide-client-params.*", note)
        made.meta.events.register("before-call.*.*", answer)
        return made

    def _answer(self, service: str, model: OperationModel, params: Mapping[str, Any]) -> Any:
        name = f"{service}.{xform_name(model.name)}"
        self.calls.append((name, params))
        told = self.answers.get(name, Refusal("AccessDeniedException"))
        found = told(params) if callable(told) and not isinstance(told, Refusal) else told
        if isinstance(found, Refusal):
            error = {"Error": {"Code": found.code, "Message": f"{found.code} of {model.name}"}}
            return SimpleNamespace(status_code=400), error
        if model.output_shape:
            try:
                validate_parameters(dict(found), model.output_shape)
            except ParamValidationError as error:
                raise AssertionError(f"AWS never answers {name} so: {error}") from error
        return SimpleNamespace(status_code=200), {**found, "ResponseMetadata": {"HTTPStatusCode": 200}}
