"""Tables that do one thing wrong with a write, which the schedules must tell from the real one."""

from collections.abc import Sequence

from commands.reconcile.plan import Write
from messaging.entities import Advance, Item
from tests.unit.schedules.world import Key, World


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


class ReadsForTheOwner(World):
    """Takes a new message for read, as a list would that somebody writes in."""

    def take(self, key: Key, steps: Sequence[Advance]) -> Item | None:
        answer = super().take(key, steps)
        if answer is None:
            self.items[key] = self.items[key] | {"read_sk": steps[0].to}
        return answer


class TakesTheFlagAway(World):
    """Takes the owner's flag away when something new makes the row unread anyway."""

    def take(self, key: Key, steps: Sequence[Advance]) -> Item | None:
        answer = super().take(key, steps)
        if answer is None:
            row = self.items[key]
            self.items[key] = {name: row[name] for name in row if name != "marked_unread"}
        return answer


class UnboundRepair(World):
    """Repairs as it has read, whatever has come in between."""

    def repair(self, writes: Sequence[Write]) -> bool:
        self.items |= {write.key: write.new for write in writes if write.new}
        return True


MUTANTS: dict[str, type[World]] = {
    "no condition at all": Unconditional,
    "a condition that the row exists, no more": ExistsOnly,
    "the condition the other way round": Reversed,
    "one condition for both registers": FirstRegisterOnly,
    "a look instead of a condition": CompareThenSet,
    "a put of the whole row": WholeRow,
    "delete, then put": DeleteThenPut,
    "a new message that counts as read": ReadsForTheOwner,
    "a new message that takes the flag away": TakesTheFlagAway,
    "a repair that is not bound to what was read": UnboundRepair,
}
