"""What holds for all tests."""

from hypothesis import settings

# How long an example takes is a matter of the machine and of what else it does, and says nothing of the code.
settings.register_profile("no_deadline", parent=settings(), deadline=None)
settings.load_profile("no_deadline")
