"""The server's own process: the functions, and around them what the cloud puts around them."""

import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path

import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.types import Lifespan

from functions import birthdays, consequences, expire, mail_feedback, messages, notify, webhook_deliveries
from infra import openapi
from infra.errors import LocalError
from infra.local import docs, examples, seed
from infra.local.activity import Activity
from infra.local.control import Control
from infra.local.delivery import Delivery
from infra.local.gateway import Gateway
from infra.local.invoke import Handler
from infra.local.journal import Journal
from infra.local.mailbox import Mailbox
from infra.local.movable_clock import MovableClock
from infra.local.run_queues import RunQueues
from infra.local.schedule import Schedule
from infra.local.server_config import UNANNOUNCED, UNSEEDED, ServerConfig
from infra.local.stream import Stream, sequence_number
from infra.local.task_queue import TaskQueue
from infra.local.tokens import Issuer
from infra.machine import engine, folders, supervised_process
from infra.tables import LOYALTY
from infra.tools import verify
from infra.tools.due_index import days_standing, earliest_due, earliest_waiting
from shared import runtime
from shared.caller import STOREFRONT, Caller
from shared.domain.errors import MemberNotFoundError
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.telling import webhooks as webhook_rules
from shared.domain.tills import Shift
from shared.messaging import message_queue
from shared.services import tills
from shared.tables import members, programs

STOP_SECONDS_MAX = 5
CONNECTIONS_MAX = 1000


def main() -> None:
    """Serve until the process is asked to end, or the one that started it is gone."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    config = ServerConfig.model_validate(supervised_process.read_config())
    try:
        application = _application(config)
    except LocalError as error:
        sys.exit(f"loyalty: {error}")
    uvicorn_config = uvicorn.Config(
        application,
        access_log=False,
        limit_concurrency=CONNECTIONS_MAX,
        lifespan="on",
        log_config=None,
        timeout_graceful_shutdown=STOP_SECONDS_MAX,
        ws="none",
    )
    uvicorn.Server(uvicorn_config).run(sockets=[socket.socket(fileno=config.descriptor)])


def _application(config: ServerConfig) -> Starlette:
    """The gateway over this process's functions, which from here on use this server's clock, mailbox and queue."""
    folder, endpoint = config.folder, config.endpoint
    database = engine.client(endpoint)
    time = MovableClock(folder / "clock.json", config.start)
    activity = Activity(config.form, verbose=config.is_verbose)
    mailbox, dead_letters = Mailbox(folder, activity), Journal(folder / "dead-letters.jsonl")
    scheduled: dict[str, Handler] = {
        "expire": expire.handler,
        "notify": notify.handler,
        "birthdays": birthdays.handler,
    }
    queues = RunQueues(scheduled, dead_letters)
    webhooks, mails = _task_queues(time, dead_letters, activity)
    runtime.use(
        channels=mailbox,
        run_queues=queues,
        webhook_queue=webhooks,
        message_queue=mails,
        due_days=partial(days_standing, database),
    )
    os.environ["PUBLIC_URL"] = config.url
    sample = _sample_member(folder, time.now(), activity)
    runtime.use(clock=time.now)

    stream = Stream(
        engine.streams_client(endpoint),
        engine.stream_arn(endpoint),
        # Consequences first: they are booked before anybody gets a message about the entry.
        [
            Delivery("consequences", consequences.handler, sequence_number, dead_letters),
            Delivery("notify", notify.handler, sequence_number, dead_letters),
        ],
        folder / "stream.json",
        activity.list_mails,
    )
    schedule = Schedule(
        time,
        scheduled,
        queues,
        dead_letters,
        zone=lambda: programs.load_program().time_zone,
        due_from=partial(earliest_due, database),
        waiting=earliest_waiting,
        afterwards=mails.deliver,
    )
    control = Control(
        {"pid": config.pid, "sample_member": sample},
        clock=time,
        schedule=schedule,
        stream=stream,
        mails=mails,
        mailbox=mailbox,
        dead_letters=dead_letters,
        check=lambda: verify.check(
            database, LOYALTY.name, view=lambda account: up_to_date(account, programs.load_program(), time.now())
        ),
        feedback=mail_feedback.handler,
        activity=activity,
    )
    issuer = Issuer.of_this_user()
    announce = partial(_announce, folder, lambda: _greeting(config.url, sample, time.now()), activity)
    routes = (*openapi.routes(), *openapi.page_routes())
    return Gateway(routes, _handlers(), issuer, openapi.unrouted_content(), activity).application(
        [*control.routes(), *docs.routes(openapi.document())],
        _lifespan(stream, schedule, (mails, webhooks), announce),
    )


def _handlers() -> dict[str, Handler]:
    """The functions that answer requests, by their names."""
    names = (*openapi.http_functions(), *openapi.page_functions())
    return {function: import_module(f"functions.{function}").handler for function in names}


def _lifespan(
    stream: Stream, schedule: Schedule, queues: Sequence[TaskQueue], announce: Callable[[], None]
) -> Lifespan[Starlette]:
    """What runs beside the gateway: for as long as it serves, and a little longer for what is on its way."""

    @asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        stream.start()
        schedule.start()
        for queue in queues:
            queue.start()
        announce()
        try:
            yield
        finally:
            await to_thread.run_sync(schedule.stop)
            await to_thread.run_sync(stream.stop)
            for queue in queues:
                await to_thread.run_sync(queue.stop)

    return lifespan


def _task_queues(time: MovableClock, dead_letters: Journal, activity: Activity) -> tuple[TaskQueue, TaskQueue]:
    """The queues of deliveries to webhooks, and of messages to members."""
    webhooks = TaskQueue(
        "webhook_deliveries",
        webhook_deliveries.handler,
        webhook_rules.ATTEMPTS_MAX,
        time.now,
        dead_letters,
        activity.tell_delivery,
    )
    mails = TaskQueue("messages", messages.handler, message_queue.ATTEMPTS_MAX, time.now, dead_letters)
    return webhooks, mails


def _greeting(url: str, sample: str | None, now: datetime) -> str:
    """What is printed, with a code for a cashier that is good for an hour."""
    shop = Caller("dev", frozenset({STOREFRONT}), None)
    issued = tills.issue(Shift(cashier="otto", store_id="Main Street"), caller=shop, now=now)
    return examples.greeting(url, sample, _address_of(sample), issued.code)


def _announce(folder: Path, greeting: Callable[[], str], activity: Activity) -> None:
    """Print the greeting, once for all the reloads of a server; of each reload, that it is done."""
    unannounced = folder / UNANNOUNCED
    if unannounced.exists():
        print(greeting(), flush=True)
        unannounced.unlink()
    else:
        activity.tell("reload", "done: the code as it is now answers")


def _sample_member(folder: Path, until: datetime, activity: Activity) -> str | None:
    """A member to show the server with; new tables get their members first, with a history that ends at `until`."""
    unseeded, sample = folder / UNSEEDED, folder / "sample-member"
    if unseeded.exists():
        activity.count_mails()
        folders.replace(sample, seed.seed(until))
        unseeded.unlink()
    return sample.read_text() if sample.exists() else None


def _address_of(member_id: str | None) -> str | None:
    """By which address a member signs in to their pages; None: the tables have no such member any more."""
    if member_id is None:
        return None
    try:
        return members.load_member(member_id).member.email
    except MemberNotFoundError:
        return None


if __name__ == "__main__":
    main()
