"""What every function needs, whatever it is about: HTTP, errors, time, settings, identity.

Imports point one way: functions → ``messaging``, ``directory`` → ``runtime``.
"""

import gc

# What is made while a function starts stays, so that looking for garbage every 2,000 objects, as
# Python does, finds nothing and takes a tenth of the start. This only helps what is imported later.
gc.set_threshold(100_000)
