"""A shop's own endpoint on loopback, for webhooks to be delivered to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


class Receiver:
    """It answers with `status`, and keeps what it got."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.status = 200
        self.got: list[tuple[dict[str, str], str]] = []

    def about(self, member: str) -> list[tuple[dict[str, str], str]]:
        """Headers and bodies of what came about a member, in the order they came."""
        return [(headers, body) for headers, body in self.got if json.loads(body)["data"]["member_id"] == member]

    def types_about(self, member: str) -> list[str]:
        """The types of those events."""
        return [json.loads(body)["type"] for _, body in self.about(member)]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """The endpoint while it listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        found = Receiver(http.server_port)
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            http.shutdown()
            thread.join()
