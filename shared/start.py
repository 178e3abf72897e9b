"""What Lambda starts: the function that the setting FUNCTION names, and its client, while no garbage is looked for.

Next to nothing that an import makes is garbage, yet looking for it takes a tenth of a cold start. What was imported
stays for good, so it is frozen: no later collection looks at it again. The client is made here because a start has a
whole processor to itself, and a request only its part of one. Validators are built before a snapshot is taken: every
environment begins with it, and no request then waits for them. How long a call may take is known here alone: Lambda
says so with each.
"""

import gc

gc.disable()

from importlib import import_module  # noqa: E402
from typing import Any  # noqa: E402

from shared import runtime, settings  # noqa: E402
from shared.domain.fields import build_all  # noqa: E402
from shared.tables import client  # noqa: E402

_work = import_module(settings.function()).handler
client.client()
if settings.is_snapshot():
    from snapshot_restore_py import (  # type: ignore[import-untyped]  # the runtime's own
        register_after_restore,
        register_before_snapshot,
    )

    register_before_snapshot(build_all)
    register_after_restore(runtime.reseed)


def handler(event: dict[str, Any], context: Any) -> Any:  # noqa: ANN401 - Lambda's own
    """What the function answers, within the time that Lambda gives it."""
    with runtime.within(context.get_remaining_time_in_millis() / 1000):
        return _work(event, context)


gc.freeze()
gc.enable()
