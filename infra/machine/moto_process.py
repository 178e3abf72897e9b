"""moto in a process that ends with its parent, behind a guard and a server that takes one request at a time."""

import logging

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from infra.machine import supervised_process
from infra.machine.guard import Guard


def serve(host: str, guard: Guard) -> None:
    """Answer until the process ends. Without threads: under them moto loses writes that it has acknowledged."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = guard.wsgi(DomainDispatcherApplication(create_backend_app))
    make_server(host, guard.port, application, threaded=False, request_handler=MotoRequestHandler).serve_forever()


if __name__ == "__main__":
    config = supervised_process.read_config()
    serve(config["host"], Guard.of(config["guard"]))
