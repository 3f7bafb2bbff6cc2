"""Stream processors with one thing wrong each, which the schedules must tell from the real one.

Most are the real source with one expression replaced: a mutant whose expression is not there any
more fails loudly.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from messaging import moves, stream
from messaging.entities import Item
from tests.unit.schedules.world import Update, World


class DeleteThenPut(World):
    """The bootcamp's way: whoever crashes in between has lost the conversation."""

    def write_rows(self, old: Sequence[Item], new: Sequence[Item]) -> bool:
        for row in old:
            self.items.pop((row["pk"], row["sk"]), None)
            self.remember([row])
            self.step("delete")
        for row in new:
            self._put(row)
            self.remember([row])
            self.step("put")
        return True


class PutThenDelete(World):
    """The careful-looking way round: every crash leaves the conversation twice."""

    def write_rows(self, old: Sequence[Item], new: Sequence[Item]) -> bool:
        for row in new:
            self._put(row)
            self.remember([row])
            self.step("put")
        for row in old:
            self.items.pop((row["pk"], row["sk"]), None)
            self.remember([row])
            self.step("delete")
        return True


class MissingCondition(World):
    """One transaction, whatever has become of the rows that were seen."""

    def write_rows(self, old: Sequence[Item], new: Sequence[Item]) -> bool:
        for row in old:
            self.items.pop((row["pk"], row["sk"]), None)
        for row in new:
            self._put(row)
        self.remember([*old, *new])
        return True


def _changed(original: str, replacement: str) -> Update:
    """Return the stream processor over `moves` with one expression replaced."""
    source = Path(str(moves.__file__)).read_text()
    if source.count(original) != 1:
        raise LookupError(f"moves.py has {source.count(original)} times: {original}")
    mutant = ModuleType("messaging.moves")
    # Dataclasses and enums of the real module, so that outcomes compare equal.
    code = compile(source.replace(original, replacement), "mutant of moves.py", "exec")
    exec(code, mutant.__dict__)  # our own source
    mutant.__dict__["Outcome"] = moves.Outcome
    mutant.__dict__["Move"] = moves.Move
    loop = ModuleType("messaging.stream")
    exec(Path(str(stream.__file__)).read_text(), loop.__dict__)  # our own source
    loop.__dict__["move_group_rows"] = mutant.__dict__["move_group_rows"]
    update: Update = loop.__dict__["update_message_groups"]
    return update


MUTANTS: dict[str, Callable[[], tuple[type[World], Update]]] = {
    "delete then put": lambda: (DeleteThenPut, stream.update_message_groups),
    "put then delete": lambda: (PutThenDelete, stream.update_message_groups),
    "a missing condition": lambda: (MissingCondition, stream.update_message_groups),
    "no completeness check": lambda: (
        World,
        _changed(
            "members <= rows.keys():\n            old, new = _replacement("
            "[rows[member] for member in sorted(members)], messages, target)",
            "rows:\n            old, new = _replacement(list(rows.values()), messages, target)",
        ),
    ),
    "a skipped re-read": lambda: (
        World,
        _changed(
            "if repository.replace_group_rows(old, new):",
            "if repository.replace_group_rows(old, new) or True:",
        ),
    ),
    "string comparison of mixed offsets": lambda: (
        World,
        _changed(
            "if position < target.position:",
            'if newest["sk"] < target.sk:',
        ),
    ),
}
