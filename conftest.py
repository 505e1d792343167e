"""How deep hypothesis looks; the fixtures are in `tests/conftest.py`."""

from __future__ import annotations

import signal

from hypothesis import settings

# No deadline: how long an example takes says more about the machine than about the code.
settings.register_profile("house", deadline=None)
settings.register_profile("deep", deadline=None, max_examples=5_000)
settings.register_profile("deepest", deadline=None, max_examples=100_000)
settings.load_profile("house")

# A run started in the background inherits an ignored Ctrl-C and would hand that on to the processes
# whose Ctrl-C is tested.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
