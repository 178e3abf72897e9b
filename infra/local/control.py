"""What only the local server has: its clock, its mailbox, its jobs and checks, under `/_local`. No token is asked."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from anyio import to_thread
from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local import payload
from infra.local.activity import Activity
from infra.local.gateway import LOOPBACK, hostname
from infra.local.invoke import Context, Handler
from infra.local.journal import Journal
from infra.local.mailbox import Mailbox, feedback_event
from infra.local.movable_clock import MovableClock
from infra.local.schedule import Schedule, Scheduled
from infra.local.stream import Stream
from infra.local.task_queue import TaskQueue
from infra.tools.verify import Report
from shared.api.wording import Place, in_words
from shared.domain.errors import Fault, ForbiddenError, InvalidRequestError, MalformedJsonError
from shared.domain.fields import Instant, Record

PATH = "/_local"
CATCH_UP_SECONDS_MAX = 5

_Asked = TypeVar("_Asked", bound=Record)
_Endpoint = Callable[[Request], Awaitable[Response]]


class Move(Record):
    """To where the clock is to be moved."""

    now: Instant


class Run(Record):
    """Which scheduled function is to run."""

    function: Scheduled


class Feedback(Record):
    """What the mail service is to tell of the last e-mail to an address."""

    member_id: str
    address: str
    event: Literal["Bounce", "Complaint"]


class Control:
    """The endpoints over the parts of one server; `about` says which server it is."""

    def __init__(
        self,
        about: dict[str, Any],
        *,
        clock: MovableClock,
        schedule: Schedule,
        stream: Stream,
        mails: TaskQueue,
        mailbox: Mailbox,
        dead_letters: Journal,
        check: Callable[[], Report],
        feedback: Handler,
        activity: Activity | None = None,
    ) -> None:
        self._activity = activity or Activity()
        self._about = about
        self._clock = clock
        self._schedule = schedule
        self._stream = stream
        self._mails = mails
        self._mailbox = mailbox
        self._dead_letters = dead_letters
        self._check = check
        self._feedback = feedback

    def routes(self) -> list[Route]:
        """Every endpoint, open to callers on this machine alone."""
        endpoints: list[tuple[str, str, _Endpoint]] = [
            ("GET", "", self._index),
            ("GET", "/clock", self._read_clock),
            ("POST", "/clock", self._move_clock),
            ("GET", "/mailbox", self._read_mailbox),
            ("POST", "/mailbox/feedback", self._give_feedback),
            ("GET", "/dead-letters", self._read_dead_letters),
            ("POST", "/run", self._run),
            ("GET", "/verify", self._verify),
        ]
        return [Route(PATH + path, _guarded(endpoint), methods=[method]) for method, path, endpoint in endpoints]

    async def _index(self, _request: Request) -> Response:
        return JSONResponse(
            {
                **self._about,
                "endpoints": {
                    f"GET {PATH}/clock": "the server's time",
                    f"POST {PATH}/clock": 'move it forward: {"now": "2027-03-05T12:00:00Z"}',
                    f"GET {PATH}/mailbox": "what was sent, the newest last; ?member_id= for one member's",
                    f"POST {PATH}/mailbox/feedback": "let an address bounce or complain: "
                    '{"member_id": "...", "address": "ada@example.org", "event": "Bounce"}',
                    f"GET {PATH}/dead-letters": "what no function could handle",
                    f"POST {PATH}/run": 'run a scheduled function now: {"function": "expire"}, "notify" or "birthdays"',
                    f"GET {PATH}/verify": "check every account against its ledger",
                },
            }
        )

    async def _read_clock(self, _request: Request) -> Response:
        return JSONResponse({"now": self._now()})

    async def _move_clock(self, request: Request) -> Response:
        move = await _asked(request, Move)
        runs = await to_thread.run_sync(self._schedule.move, move.now)
        self._activity.tell("clock", f"moved to {self._now()}, {runs} runs of reminders", now=self._now(), runs=runs)
        return JSONResponse({"now": self._now(), "reminder_runs": runs})

    async def _read_mailbox(self, request: Request) -> Response:
        # Somebody who has just earned points expects to find the message.
        await to_thread.run_sync(self._stream.catch_up, CATCH_UP_SECONDS_MAX)
        await to_thread.run_sync(self._mails.deliver)
        return JSONResponse(self._mailbox.contents(request.query_params.get("member_id")))

    async def _give_feedback(self, request: Request) -> Response:
        told = await _asked(request, Feedback)
        event = feedback_event(told.event, told.address, told.member_id)
        return JSONResponse(await to_thread.run_sync(self._feedback, event, Context("mail_feedback")))

    async def _read_dead_letters(self, _request: Request) -> Response:
        return JSONResponse({"dead_letters": self._dead_letters.records()})

    async def _run(self, request: Request) -> Response:
        run = await _asked(request, Run)
        return JSONResponse(await to_thread.run_sync(self._schedule.run, run.function))

    async def _verify(self, _request: Request) -> Response:
        report = await to_thread.run_sync(self._check)
        violations = [violation._asdict() for violation in report.violations]
        return JSONResponse({**report._asdict(), "violations": violations})

    def _now(self) -> str:
        return self._clock.now().isoformat().replace("+00:00", "Z")


def _guarded(endpoint: _Endpoint) -> _Endpoint:
    async def guarded(request: Request) -> Response:
        _require_this_machine(request)
        return await endpoint(request)

    return guarded


def _require_this_machine(request: Request) -> None:
    """Raises ForbiddenError for a page of the web that reaches for the server through its visitor's browser.

    Such a page comes with its own name for this address (DNS rebinding), or with its own origin.
    """
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    if hostname(f"//{host}") not in LOOPBACK:
        raise ForbiddenError(f"{PATH} answers to loopback addresses only")
    if origin is not None and urlsplit(origin).netloc != host:
        raise ForbiddenError(f"{PATH} does not answer to pages of other sites")


async def _asked(request: Request, shape: type[_Asked]) -> _Asked:
    """The request's body. Raises MalformedJsonError or InvalidRequestError."""
    content = await payload.body(request)
    try:
        return shape.model_validate_json(content)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        if problems[0]["type"] == "json_invalid":
            raise MalformedJsonError("the body is not JSON") from error
        whole, body = Place.of(shape.model_json_schema()), from_json(content)
        raise InvalidRequestError(*(_fault(one, whole, body) for one in problems)) from error


def _fault(problem: ErrorDetails, whole: Place, body: Any) -> Fault:  # noqa: ANN401 - whatever JSON holds
    pointer = "".join(f"/{step}" for step in problem["loc"])
    return Fault(pointer, in_words(problem, problem["loc"], whole, body))
