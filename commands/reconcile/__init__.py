"""Rebuilding group rows, MEMBERS and PAIR from the messages.

::

    run          whole table · one group · what was parked · failure queue
     ├── survey        one scan of the table
     ├── destination   ranges of the stream in the failure queue
     └── group         read one group, plan, write, read again
          ├── table        the calls, every write bound to what was read
          └── plan         what is unequal, and the transaction that ends it (pure)
               └── digest  what is kept of a group's messages (pure)
"""
