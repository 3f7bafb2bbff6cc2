"""What every function needs, whatever it is about: HTTP, errors, time, settings, identity.

Imports point one way: functions → ``messaging``, ``directory`` → ``runtime``.
"""
