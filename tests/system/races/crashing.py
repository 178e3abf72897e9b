"""A shop on one machine whose processes end in the middle of its work, and what its callers were promised.

All but one are killed. The engine is the database: it is asked to end, and saves.
"""

import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import IO, Any

import httpx

from infra.machine import engine
from infra.tables import LOYALTY
from tests.system.conftest import LOYALTY as COMMAND
from tests.system.conftest import Server, children, run_loyalty, serving

CALLERS = 6
MEMBERS = 12
IDLE = 60
PURCHASES = 60
ANSWER_SECONDS_MAX = 60
"""How long a caller goes on asking while processes are started again."""
_ENGINE, _SERVER = "infra.machine.ministack_process", "infra.local.server"


class Crashing:
    """`loyalty dev --data`, callers who send orders to it, and a hand that kills. `promised` has what was acknowledged.

    Every request is sent again until it is answered, as a shop does, so in the end each has to be booked, and once.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.counts = Counter[str]()
        self.promised: dict[str, int] = {}
        """Points by the order that earned them."""
        self._random = Random(seed)  # noqa: S311 - guards nothing
        self._home = folder / "home"
        self._data = folder / "data"
        self._home.mkdir()
        self._port = _free_port()
        self._lives = ExitStack()
        self._noting = threading.Lock()
        self._stopping = threading.Event()
        self._numbers = iter(range(1_000_000))
        self._kills = {
            "server": self._kill_server,
            "dev": self._kill_dev,
            "engine": self._end_engine,
            "replay": self._kill_replay,
            "expiry": self._kill_expiry,
        }
        self.server = self._start()
        self._idle: list[str] = []
        self._members = [self.server.enroll(f"member-{number}") for number in range(MEMBERS)]

    def close(self) -> None:
        """Stop everything."""
        self._lives.close()

    def round(self, victim: str) -> str:
        """Kill `server`, `dev`, `replay` or `expiry`, or end the `engine`, while callers call; what has happened."""
        before = Counter(self.counts)
        self._stopping.clear()
        if victim == "expiry":
            self._pass_a_year()
        now = self.server.http.get("/_local/clock").json()["now"]
        with ThreadPoolExecutor(CALLERS) as callers:
            calling = [callers.submit(self._order, now) for _ in range(CALLERS)]
            waited = self._random.uniform(0.1, 0.6)
            time.sleep(waited)
            try:
                self._kills[victim]()
                time.sleep(0.2)
            finally:
                self._stopping.set()
            for one in calling:
                one.result()
        done = self.counts - before
        return f"{victim:6} gone after {waited:.2f} s: {dict(sorted(done.items()))}, {len(self.promised)} orders in all"

    def wrong(self) -> list[str]:
        """What is missing, booked twice, or unsound; nothing if all is well."""
        client = self.server.database()
        pages = client.get_paginator("scan").paginate(TableName=LOYALTY.name)
        items: list[Any] = [item for page in pages for item in page["Items"]]
        booked = Counter(
            item["pk"]["S"].removeprefix("ORDER#")
            for item in items
            if item.get("type", {}).get("S") == "earn" and item["pk"]["S"].startswith("ORDER#")
        )
        places = Counter((item["member_id"]["S"], item["sequence"]["N"]) for item in items if "type" in item)
        found = [f"{order_id} is missing" for order_id in self.promised.keys() - booked.keys()]
        found += [f"{order_id} was not asked for" for order_id in booked.keys() - self.promised.keys()]
        found += [f"{times} entries at {place}" for place, times in places.items() if times > 1]
        report = self.server.http.get("/_local/verify").json()
        return found + [str(violation) for violation in report["violations"]]

    # Callers ----------------------------------------------------------------------------------------------------------

    def _order(self, now: str) -> None:
        with httpx.Client(base_url=self.server.url, timeout=10) as http:
            while not self._stopping.is_set():
                with self._noting:
                    order_id = f"order-{next(self._numbers)}"
                    member = self._random.choice(self._members)
                body = {"type": "order", "order_id": order_id, "placed_at": now, "currency": "USD", "total": 1_000}
                self._until_answered(http, f"/v1/members/{member}/earn", body, order_id)

    def _until_answered(self, http: httpx.Client, path: str, body: Any, order_id: str) -> None:
        headers = {"Authorization": f"Bearer {self.server.tokens['storefront']}"}
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                answer = http.post(path, json=body, headers=headers)
            except httpx.HTTPError:
                self._count("unanswered")
                time.sleep(0.1)
                continue
            if answer.status_code // 100 == 2:
                self._count("replayed" if "Idempotency-Replayed" in answer.headers else "booked")
                with self._noting:
                    self.promised[order_id] = answer.json()["entry"]["points"]
                return
            assert answer.status_code == 503, answer.text
            self._count("try again")
        raise AssertionError(f"{order_id} was never answered")

    def _count(self, what: str) -> None:
        with self._noting:
            self.counts[what] += 1

    # Kills ------------------------------------------------------------------------------------------------------------

    def _kill_server(self) -> None:
        os.kill(self._child(_SERVER), signal.SIGKILL)
        self._await_server()

    def _kill_dev(self) -> None:
        """With `loyalty dev` itself the server and the engine end, which saves; it is started again on that."""
        left = [self._child(_SERVER), self._child(_ENGINE)]
        self.server.process.kill()
        self.server.process.wait()
        self._until(lambda: not any(map(_exists, left)))
        self.server = self._start()

    def _end_engine(self) -> None:
        """The engine is asked to end under the server, and saves; `loyalty dev` ends and is started again."""
        os.kill(self._child(_ENGINE), signal.SIGTERM)
        self.server.process.wait(ANSWER_SECONDS_MAX)
        self.server = self._start()

    def _kill_replay(self) -> None:
        """A replay is killed, and run again to its end."""
        file = self._home / f"purchases-{next(self._numbers)}.csv"
        orders = [f"{file.stem}-{number}" for number in range(PURCHASES)]
        lines = [
            f"{order_id[-1]}-{file.stem},{order_id},2026-11-0{1 + n % 9},10.00,USD" for n, order_id in enumerate(orders)
        ]
        file.write_text("\n".join(["customer,order,date_time,amount,currency", *lines]))
        environment = {**os.environ, "XDG_STATE_HOME": str(self._home)}
        with (self._home / "replay.log").open("ab") as log:
            replaying = subprocess.Popen([COMMAND, "replay", str(file)], env=environment, stdout=log, stderr=log)
            self._until(lambda: replaying.poll() is not None or self._is_booked(orders[0]))
            time.sleep(self._random.uniform(0, 0.3))
            replaying.kill()
            replaying.wait()
        self.counts["replays killed on the way"] += replaying.returncode < 0
        again = run_loyalty(self._home, "replay", str(file))
        assert again.returncode == 0, again.stderr
        with self._noting:
            self.promised |= dict.fromkeys(orders, 10)

    def _kill_expiry(self) -> None:
        """The server is killed while it books a year's expiry; then the run is started again."""

        def expire() -> None:
            with httpx.Client(base_url=self.server.url, timeout=10) as http:
                try:
                    http.post("/_local/run", json={"function": "expire"})
                except httpx.HTTPError:
                    self._count("expiry runs killed on the way")

        running = threading.Thread(target=expire)
        running.start()
        time.sleep(self._random.uniform(0, 0.1))
        os.kill(self._child(_SERVER), signal.SIGKILL)
        running.join()
        self._await_server()
        self.server.http.post("/_local/run", json={"function": "expire"}).raise_for_status()

    def _pass_a_year(self) -> None:
        """So that everybody's points are due, among them those of members who then do nothing else."""
        self._idle = self._idle or [self.server.enroll(f"idle-{number}") for number in range(IDLE)]
        for member in self._idle:
            order_id = f"order-{next(self._numbers)}"
            answer = self.server.order(member, order_id, 1_000)
            assert answer.status_code == 201, answer.text
            self.promised[order_id] = answer.json()["entry"]["points"]
        now = self.server.http.get("/_local/clock").json()["now"]
        later = f"{int(now[:4]) + 1}-12-15T12:00:00Z"
        moved = self.server.http.post("/_local/clock", json={"now": later}, timeout=ANSWER_SECONDS_MAX * 5)
        moved.raise_for_status()

    # Processes --------------------------------------------------------------------------------------------------------

    def _start(self) -> Server:
        arguments = ("--data", str(self._data), "--empty", "--port", str(self._port))
        self._lives.close()
        server = self._lives.enter_context(serving(self._home, *arguments))
        threading.Thread(target=self._drain, args=(server.process.stdout,), daemon=True).start()
        return server

    def _drain(self, printed: IO[str]) -> None:
        """Take what it prints, which it prints much of when its engine is gone: a full pipe would hold it up."""
        with (self._home / "dev.log").open("a") as log, suppress(ValueError):  # closed with the process
            for line in printed:
                log.write(line)

    def _await_server(self) -> None:
        self._until(self._answers)

    def _answers(self) -> bool:
        try:
            return self.server.http.get("/_local", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def _is_booked(self, order_id: str) -> bool:
        client = self.server.database()
        key: Any = {"pk": {"S": f"ORDER#{order_id}"}, "sk": {"S": "EARN"}}
        return "Item" in client.get_item(TableName=LOYALTY.name, Key=key)

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while not condition():
            assert time.monotonic() < deadline, "it took too long"
            time.sleep(0.05)

    def _child(self, module: str) -> int:
        [pid] = children(self.server.process.pid, module)
        return pid


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((engine.LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
