"""Stories replace the program, so they have a server apart from the other tests."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import Server, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all stories that need none of their own."""
    with tempfile.TemporaryDirectory() as home, serving(Path(home), "--empty") as running:
        yield running
