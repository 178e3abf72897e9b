"""What holds for all tests."""

import gc

from hypothesis import settings

# How long an example takes is a matter of the machine and of what else it does, and says nothing of the code.
settings.register_profile("no_deadline", parent=settings(), deadline=None)
settings.load_profile("no_deadline")


def pytest_collection_finish() -> None:
    """Spare the collector what stays to the end, and all but large heaps of garbage: a fifth of the suite's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
