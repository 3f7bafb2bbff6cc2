"""E with one thing wrong each, which the schedules must tell from the real one.

What a table does with a write is wrong in a `World` of its own. All else is the real source with
one expression replaced: a mutant whose expression is not there any more fails loudly.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from commands.reconcile.plan import Write
from messaging import entities, moves, stream
from messaging.entities import Advance, Item
from tests.unit.schedules.world import Environment, Key, World, cold_environment


def _leads_forward(row: Item, steps: Sequence[Advance]) -> bool:
    return all(row.get(step.register, "") < step.to for step in steps)


class Unconditional(World):
    """Sets what it is told, wherever the row is, and whether it is there."""

    def take(self, key: Key, steps: Sequence[Advance]) -> Item | None:
        row = self.items.get(key, {"pk": key[0], "sk": key[1]})
        for step in steps:
            row = row | {step.register: step.to, **step.with_it}
        self.items[key] = row
        return None


class ExistsOnly(Unconditional):
    """Asks whether there is a row, but not where it is."""

    def take(self, key: Key, steps: Sequence[Advance]) -> Item | None:
        return super().take(key, steps) if key in self.items else {}


class Reversed(ExistsOnly):
    """Takes the condition for what stops a step, not for what lets it pass."""

    def take(self, key: Key, steps: Sequence[Advance]) -> Item | None:
        row = self.items.get(key, {})
        if any(row.get(step.register, step.to) < step.to for step in steps):
            return row
        return super().take(key, steps)


class FirstRegisterOnly(ExistsOnly):
    """Asks for the place in the list, and sets the other register with it."""

    def take(self, key: Key, steps: Sequence[Advance]) -> Item | None:
        row = self.items.get(key, {})
        if row.get(steps[0].register, "") >= steps[0].to:
            return row
        return super().take(key, steps)


class CompareThenSet(ExistsOnly):
    """Looks first, then writes what it found to lead forward: no condition, but two calls."""

    def take(self, key: Key, steps: Sequence[Advance]) -> Item | None:
        row = self.items.get(key, {})
        if not _leads_forward(row, steps):
            return row
        self.step("write after the look", key)
        return super().take(key, steps)


class WholeRow(World):
    """Puts the whole row that it has seen, changed, on condition that it has not moved."""

    def take(self, key: Key, steps: Sequence[Advance]) -> Item | None:
        seen = self.items.get(key, {})
        self.step("put of the row seen", key)
        answer = super().take(key, steps)
        if answer is None:
            now = self.items[key]
            self.items[key] = seen | {
                name: now[name] for step in steps for name in (step.register, *step.with_it)
            }
        return answer


class DeleteThenPut(World):
    """The bootcamp's way: whoever crashes in between has lost the conversation."""

    def take(self, key: Key, steps: Sequence[Advance]) -> Item | None:
        row = self.items.get(key, {})
        if not row or not _leads_forward(row, steps):
            return row
        del self.items[key]
        self.step("put of the row deleted", key)
        self.items[key] = row
        return super().take(key, steps)


class UnboundRepair(World):
    """Repairs as it has read, whatever has come in between."""

    def repair(self, writes: Sequence[Write]) -> bool:
        self.items |= {write.key: write.new for write in writes if write.new}
        return True


def _copy(module: ModuleType, original: str = "", replacement: str = "") -> dict[str, Any]:
    """Return what is in a module with one expression replaced."""
    source = Path(str(module.__file__)).read_text()
    if original and source.count(original) != 1:
        raise LookupError(f"{module.__name__} has {source.count(original)} times: {original}")
    changed = ModuleType(module.__name__)
    exec(source.replace(original, replacement) if original else source, changed.__dict__)  # ours
    return changed.__dict__


def _environment(names: dict[str, Any]) -> Environment:
    processor = names["StreamProcessor"]
    return lambda table: processor(table, clock=cold_environment(table)._clock, concurrency=1)


def _stream(original: str, replacement: str) -> Environment:
    return _environment(_copy(stream, original, replacement))


def _moves(original: str, replacement: str) -> Environment:
    names = _copy(stream)
    names["move_row"] = _copy(moves, original, replacement)["move_row"]
    return _environment(names)


def _advances(original: str, replacement: str) -> Environment:
    names = _copy(stream)
    names["advances"] = _copy(entities, original, replacement)["advances"]
    return _environment(names)


def unchanged() -> Environment:
    """Return a copy of the stream processor and all that it calls with nothing wrong."""
    names = _copy(stream)
    names["move_row"] = _copy(moves)["move_row"]
    names["advances"] = _copy(entities)["advances"]
    return _environment(names)


type Mutant = tuple[type[World], Environment]

_IN_THE_TABLE: dict[str, type[World]] = {
    "no condition at all": Unconditional,
    "a condition that the row exists, no more": ExistsOnly,
    "the condition the other way round": Reversed,
    "one condition for both registers": FirstRegisterOnly,
    "a look instead of a condition": CompareThenSet,
    "a put of the whole row": WholeRow,
    "delete, then put": DeleteThenPut,
    "a repair that is not bound to what was read": UnboundRepair,
}
_LAST = "last = max(messages, key=lambda message: message.place)"
_THEIRS = "newest = max(theirs, key=lambda message: message.place)"
_ADVANCES = {
    "places as the messages' keys spell them": ("to=last.place", "to=last.sk"),
    "the newest by the string order of its key": (_LAST, _LAST.replace(".place", ".sk")),
    "the newest is the last of the batch": (_LAST, "last = messages[-1]"),
    "the newest is the oldest": (_LAST, _LAST.replace("max", "min")),
    "names from the last of the batch": (_THEIRS, "newest = theirs[-1]"),
    "names from the oldest": (_THEIRS, _THEIRS.replace("max", "min")),
    "names from whoever wrote": (
        "theirs = [message for message in messages if message.user_uuid != owner_uuid]",
        "theirs = messages",
    ),
    "names where the other wrote last, only": ("if theirs:", "if last.user_uuid != owner_uuid:"),
}
_MOVES = {
    "a refused step drops the other": ("left = ahead", "return False"),
    "a refused step is tried no more": (
        "ahead = [step for step in left if not step.is_done_in(row)]",
        "ahead = list[Advance]()",
    ),
    "a missing row is taken for done": (
        'raise UnreadableItemError("a row without a place" if row else "no row")',
        "return False",
    ),
}
_STREAM = {
    "members from a view that is not complete": ("if len(owners) == PAIR_SIZE:", "if owners:"),
    "no members for no view": (
        "members = self._table.get_members(message_group_uuid)",
        "members = None",
    ),
    "a failed park is swallowed": (
        "report.failed.append(sequence_number)\n            return",
        "return",
    ),
    "reported only when all rows failed": (
        "if group.failed:",
        "if group.failed and not group.moved:",
    ),
    "a missing row hides a failed one": (
        "if group.failed:",
        "if group.failed and not group.unreadable:",
    ),
    "a group is reported by its last record": (
        "group.messages.append(message)",
        "group.messages.append(message); group.first = record",
    ),
    "a missing row is reported": (
        'group.unreadable = f"{error} of {member}"',
        "group.failed = True",
    ),
    "a record that cannot be read ends the batch": (
        'reason=f"unreadable: {error}")\n                continue',
        'reason=f"unreadable: {error}")\n                break',
    ),
    "a record that cannot be read is reported": (
        'self._park(record, report, reason=f"unreadable: {error}")',
        "report.failed.append(_sequence_number(record))",
    ),
}


def _in_the_table(world: type[World]) -> Mutant:
    return world, cold_environment


def _in_the_source(
    made: Callable[[str, str], Environment], original: str, replacement: str
) -> Mutant:
    return World, made(original, replacement)


MUTANTS: Mapping[str, Callable[[], Mutant]] = {
    name: partial(_in_the_table, world) for name, world in _IN_THE_TABLE.items()
} | {
    name: partial(_in_the_source, made, *change)
    for made, changes in ((_advances, _ADVANCES), (_moves, _MOVES), (_stream, _STREAM))
    for name, change in changes.items()
}
