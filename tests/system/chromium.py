"""A real browser that a test leads through pages, by the browser's own debugging protocol over a pipe.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.system.browser import browser

SECONDS_MAX = 60
_STARTER = """
import fcntl, os, sys
taken, given = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(taken, 3)
os.dup2(given, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The browser takes commands from file descriptor 3, and answers by 4."""
_LABELLED = """
(() => {
  const shown = one => one.offsetParent !== null;
  const text = one => one.innerText.replace(/\\s+/g, " ").trim();
  const wanted = %s;
  for (const label of document.querySelectorAll("label"))
    if (shown(label) && text(label).startsWith(wanted)) return document.getElementById(label.htmlFor);
  return null;
})()
"""
_NAMED = """
(() => {
  const text = one => one.innerText.replace(/\\s+/g, " ").trim();
  const all = [...document.querySelectorAll("button, a, summary")];
  return all.find(one => one.offsetParent !== null && text(one).startsWith(%s)) ?? null;
})()
"""


class Tab:
    """One page of a browser, as somebody uses it: by what they read on it."""

    def __init__(self, process: "subprocess.Popen[bytes]", sent: int, received: int) -> None:
        self._process, self._sent, self._received = process, sent, received
        self._number, self._rest, self._session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer. What happens meanwhile is noted in `events`."""
        self._number += 1
        said = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            said["sessionId"] = self._session
        os.write(self._sent, json.dumps(said).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])
            self.events.append(answer)

    def go(self, url: str) -> None:
        """Lead the browser to an address, and wait until it is shown."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self._loaded()

    def press(self, name: str) -> None:
        """Press a button, or follow a link, by the beginning of what it says; and wait for where it leads."""
        self.events.clear()
        self.do(_NAMED % json.dumps(name), "one => one.click()", name)
        self._loaded()

    def open(self, name: str) -> None:
        """Open what folds out, by the beginning of what it says."""
        self.do(_NAMED % json.dumps(name), "one => one.click()", name)

    def fill(self, label: str, text: str) -> None:
        """Type into a field, by the beginning of its label."""
        self.do(_LABELLED % json.dumps(label), "one => { one.focus(); one.value = ''; }", label)
        self.call("Input.insertText", text=text)

    def tick(self, label: str) -> None:
        """Tick a box, by the beginning of its label."""
        self.do(_LABELLED % json.dumps(label), "one => one.click()", label)

    def key(self, name: str, **more: Any) -> None:
        """Press a key of the keyboard."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, **more)

    def do(self, finds: str, does: str, what: str) -> None:
        """Do something to what is found on the page."""
        assert self.value(f"(one => one ? (({does})(one), true) : false)({finds})"), f"no {what!r} on {self.text()}"

    def text(self) -> str:
        """What the page says."""
        return str(self.value("document.body.innerText"))

    def path(self) -> str:
        """Where the browser is."""
        return str(self.value("location.pathname"))

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript comes to on the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def look(self, width: int, *, is_dark: bool = False, height: int = 780) -> None:
        """See pages on a screen of so many pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Keep what the whole page looks like."""
        made = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(made["data"]))

    def requests(self) -> list[str]:
        """The addresses that the page in hand has asked for."""
        asked = (
            one["params"]["request"]["url"] for one in self.events if one.get("method") == "Network.requestWillBeSent"
        )
        return list(asked)

    def complaints(self) -> list[str]:
        """What the browser has noted against the page in hand, such as what its policy forbids."""
        return [one["params"]["entry"]["text"] for one in self.events if one.get("method") == "Log.entryAdded"]

    def _loaded(self) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        while not any(one.get("method") == "Page.loadEventFired" for one in self.events):
            assert time.monotonic() < deadline, "the page was never shown"
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._received, 1 << 20)
            assert more, "the browser has ended"
            self._rest += more
        said, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(said))


@contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """A browser with one page, which ends with all the processes that it has started."""
    taken, sent = os.pipe()
    received, given = os.pipe()
    options = ["--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-sandbox", "--hide-scrollbars"]
    started = [browser(), *options, "--remote-debugging-pipe", f"--user-data-dir={folder / 'tab'}"]
    command = [sys.executable, "-c", _STARTER, str(taken), str(given), *started]
    process = subprocess.Popen(
        command, pass_fds=(taken, given), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    os.close(taken)
    os.close(given)
    try:
        yield Tab(process, sent, received)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(sent)
        os.close(received)
