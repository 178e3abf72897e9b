"""How HTTP requests are read and answered: one resolver for all functions."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from shared import correlation
from shared.api.auth import authorize
from shared.api.bodies import BODY_BYTES_MAX, json_object, with_form_as_json, with_readable_body
from shared.api.merges import follow_merges
from shared.api.paths import with_whole_ids
from shared.api.problems import problem
from shared.api.validation import invalid_request, require_described
from shared.domain.errors import LoyaltyError, RouteNotFoundError


class Forms(NamedTuple):
    """Paths that also take HTML forms: a prefix, and a token after it.

    `require` is asked about the token before anything of the form is read. It raises a LoyaltyError.
    """

    prefix: str
    require: Callable[[str], object]


class ForEachThread(APIGatewayHttpResolver):
    """Powertools' resolver, with what a request brings kept apart for each thread.

    In the cloud an execution environment has one request at a time; a local server runs them side by side.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Powertools' own
        self._here = threading.local()
        super().__init__(**options)

    @property
    def context(self) -> dict[str, Any]:
        """What belongs to the request in hand."""
        if not hasattr(self._here, "context"):
            self._here.context = {}
        context: dict[str, Any] = self._here.context
        return context

    @context.setter
    def context(self, value: dict[str, Any]) -> None:
        self._here.context = value

    @property
    def current_event(self) -> Any:  # noqa: ANN401 - Powertools has a class for each kind of event
        """The request in hand."""
        return self._here.event

    @current_event.setter
    def current_event(self, value: Any) -> None:  # noqa: ANN401
        self._here.event = value

    def _to_proxy_event(self, event: dict[str, Any]) -> Any:  # noqa: ANN401
        self.current_event = super()._to_proxy_event(event)
        return self.current_event


class Resolver(ForEachThread):
    """The resolver of functions that speak JSON."""

    def __init__(self, forms: Forms | None = None, bytes_max: int = BODY_BYTES_MAX) -> None:
        self._forms = forms
        self._bytes_max = bytes_max
        super().__init__(enable_validation=True, json_body_deserializer=json_object)

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
        """The answer to an event, refusals included; it names the request."""
        request_id = correlation.id_of(event)
        with correlation.within(request_id):
            answer = self._resolved(event, context)
        if request_id:
            answer["headers"] = {**answer.get("headers", {}), correlation.HEADER: request_id}
        return answer

    def _resolved(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            event = with_readable_body(self._with_form(event), self._bytes_max)
        except LoyaltyError as error:
            answer = problem(error)
            return {"statusCode": answer.status_code, "headers": answer.headers, "body": answer.body}
        return super().resolve(event, context)

    def _with_form(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        path = str(event.get("rawPath", ""))
        if self._forms is None or not path.startswith(self._forms.prefix):
            return event
        if event.get("body"):
            self._forms.require(path.removeprefix(self._forms.prefix))
        return with_form_as_json(event)


def resolver(forms: Forms | None = None, bytes_max: int = BODY_BYTES_MAX) -> Resolver:
    """A function's resolver: routes are added to it, refusals become problem details.

    The paths of `forms` also take HTML forms, whose fields become those of a JSON object. Of a body at most `bytes_max`
    are read.
    """
    app = Resolver(forms, bytes_max)
    app.use([authorize, require_described, with_whole_ids, follow_merges])
    app.exception_handler(LoyaltyError)(problem)
    app.exception_handler(RequestValidationError)(lambda error: problem(invalid_request(error, app)))
    app.not_found(lambda _: problem(RouteNotFoundError("this function has no such path and method")))
    return app
