"""Whoever ends the tests ends what they have started."""

import signal

# As Ctrl-C does, which is not heard by what was started in the background.
signal.signal(signal.SIGTERM, signal.default_int_handler)
