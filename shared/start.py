"""What Lambda starts: the function that the setting FUNCTION names, and its client, while no garbage is looked for.

Next to nothing that an import makes is garbage, yet looking for it takes a tenth of a cold start. What was imported
stays for good, so it is frozen: no later collection looks at it again. The client is made here because a start has a
whole processor to itself, and a request only its part of one.
"""

import gc

gc.disable()

from importlib import import_module  # noqa: E402

from shared import dynamo, settings  # noqa: E402

handler = import_module(settings.function()).handler
dynamo.client()
gc.freeze()
gc.enable()
