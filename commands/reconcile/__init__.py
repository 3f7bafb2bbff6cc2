"""Rebuilding group rows, MEMBERS and PAIR from the messages.

::

    command       the options of bin/ddb/reconcile, and its output
     └── run           the whole table, one group, parked records, or the failure queue
          ├── survey        one scan of the table
          ├── destination   the failure queue, and the records that it names
          └── group         read one group, plan, write, and read again
               ├── table        calls to DynamoDB; every write has a condition on what was read
               └── plan         the differences of a group, and the writes that end them (pure)
                    ├── snapshot  what was read about a group, and its members (pure)
                    └── digest    what is kept of a group's messages (pure)
"""
