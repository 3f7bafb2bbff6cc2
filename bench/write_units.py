"""Write units of a message, of the move that follows it, and of a mark.

    bin/python -m bench.write_units

They are what DynamoDB reports (ConsumedCapacity of the table and of both indexes), for messages of
200 characters, and for the longest messages of people with the longest names. K is the number of
messages of one group in a batch.
"""

from bench.conversations import Conversation, record, user
from bench.engine import TABLE, Engine, Meter, engine
from directory.users import MAX_DISPLAY_NAME_CHARS
from messaging import keys, marks
from messaging.bodies import MAX_MESSAGE_CHARS
from messaging.entities import Marking, Settings
from messaging.message_groups import SendResult
from messaging.stream import StreamProcessor
from runtime.user import User

BATCHES = (1, 2, 3, 10)
# The longest handle that a sign-up may choose (HANDLE in directory.users).
HANDLE_CHARS = 30


def line(what: str, meter: Meter) -> None:
    """Print a row of the first table."""
    units = [meter.write_units[place] for place in (TABLE, keys.ROWS_INDEX, keys.LIST_INDEX)]
    calls = ", ".join(f"{count} {name}" for name, count in meter.calls.items())
    numbers = " | ".join(f"{number:g}" for number in (*units, sum(units)))
    print(f"| {what} | {numbers} | {calls} |")


def measure(running: Engine, people: tuple[User, User], text: str) -> None:
    """Print both tables for one kind of message."""
    repository, meter = running.repository()
    processor = StreamProcessor(repository)
    conversation = Conversation(repository=repository, people=people, text=text)

    def move(*sent: SendResult) -> Meter:
        meter.take()
        processor.process([record(one.message) for one in sent])
        return meter.take()

    print("| | table | rows' index | list index | together | calls |\n|---|---|---|---|---|---|")
    conversation.begin()
    line("C", meter.take())
    others = (people[0], user("someone"))
    Conversation(repository=repository, people=others, text=text).begin(named=True)
    line("C, named", meter.take())
    for _ in conversation.people:  # from here on both are known as members
        conversation.write()
    for named in (False, True):
        meter.take()
        sent = conversation.write(named=named)
        line("D, named" if named else "D", meter.take())
        line("E, warm" if named else "E, cold", move(sent))
    line("E, the same batch again", move(sent))
    reading = Marking(read_sk=sent.message.place, marked_unread=False)
    for what, marking in {
        "a mark": reading,
        "a mark of what is read": reading,
        "a flag and a mute": Marking(marked_unread=True, muted=True),
        "a mark of what is read, which takes the flag away": reading,
    }.items():
        marks.mark_row(repository, people[0].uuid, conversation.group, marking)
        line(what, meter.take())
    repository.put_settings(Settings(user_uuid=people[0].uuid))
    line("a change of one's settings", meter.take())

    print("\n| K | E a batch | E a message | D + E | named D + E |\n|---|---|---|---|---|")
    for size in BATCHES:
        together = []
        for named in (False, True):
            meter.take()
            batch = [conversation.write(named=named) for _ in range(size)]
            written = meter.take().write_units.total()
            moved = move(*batch).write_units.total()
            together.append((written + moved) / size)
        numbers = " | ".join(f"{number:.3g}" for number in (moved, moved / size, *together))
        print(f"| {size} | {numbers} |")


if __name__ == "__main__":
    longest = tuple(
        user(letter * HANDLE_CHARS, display_name=face * MAX_DISPLAY_NAME_CHARS)
        for letter, face in zip("ab", "😀😃", strict=True)
    )
    with engine() as running:
        print("Messages of 200 characters\n")
        measure(running, (user("grahams"), user("reef")), "x" * 200)
        print(f"\nThe longest: {MAX_MESSAGE_CHARS:,} characters of four bytes, names likewise\n")
        measure(running, (longest[0], longest[1]), "😀" * MAX_MESSAGE_CHARS)
