"""Commands and engines meet the same home and servers as the local server does."""

from tests.infra.local.conftest import _stage, home, serve

__all__ = ["_stage", "home", "serve"]
