"""What Lambda starts: the function that the setting FUNCTION names, imported without looking for garbage meanwhile.

Next to nothing that an import makes is garbage, yet looking for it takes a tenth of a cold start. What was imported
stays for good, so it is frozen: no later collection looks at it again.
"""

import gc
import importlib

from shared import settings

gc.disable()
handler = importlib.import_module(settings.function()).handler
gc.freeze()
gc.enable()
