"""Hints: connected clients are told that something has changed, by the table's stream.

The old and the new image of a message group row tell what it was. A hint holds uuids and positions
only, and clients read the rest from the API. So one that is lost, comes twice or too late does no
harm, and nothing is done for long to deliver it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from messaging import keys, live, repository
from messaging.attributes import from_dynamodb
from messaging.entities import Connection, MessageGroupRow
from messaging.errors import UnreadableItemError
from messaging.repository import Repository
from runtime import environment, side_by_side, web_socket
from runtime.web_socket import Channel, Outcome

# API Gateway does not know a connection before the function of $connect has let it in, for which
# it has 29 seconds. Whoever is told in this time that it is gone may be wrong.
OPENING = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class Hint:
    """What one user is told about a message group.

    Attributes
    ----------
    position
        The message that it is about; none for one's own marks.
    from_user
        Whose reading it tells of, if it does.
    """

    to_user: str
    type: Literal["message_group", "marks", "receipt"]
    message_group_uuid: str
    position: keys.Position | None = None
    from_user: str | None = None

    def body(self) -> dict[str, str]:
        """Return what clients get."""
        body = {"type": self.type, "uuid": self.message_group_uuid}
        if self.position:
            body["created_at"] = keys.format_time(self.position.created_at)
            body["message_uuid"] = self.position.message_uuid
        return body


@dataclass(kw_only=True)
class Report:
    """What became of a batch.

    Attributes
    ----------
    lags_ms
        For each new message that somebody was told of, how long ago it was written.
    """

    sent: int = 0
    failed: int = 0
    lags_ms: list[float] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the batch's metrics by name."""
        return {"HintsSent": self.sent, "HintsFailed": self.failed}


class Notifier:
    """Sends the hints of a batch to whoever is connected."""

    def __init__(
        self,
        table: Repository,
        channel: Channel,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._table = table
        self._channel = channel
        self._clock = clock

    def process(self, records: Iterable[Mapping[str, Any]]) -> Report:
        """Tell whoever is connected what has changed in the rows of `records`.

        Of hints to one user about one group only the last of each type is sent. Raises
        TryAgainError when the table does not answer for now.
        """
        hints = {
            (hint.to_user, hint.type, hint.message_group_uuid): hint
            for record in records
            for hint in hints_of(record)
        }
        users = sorted({hint.to_user for hint in hints.values()})
        found = side_by_side.run(self._open_connections, users)
        connections = dict(zip(users, found, strict=True))
        told = [hint for hint in hints.values() if connections[hint.to_user]]
        allowed = side_by_side.run(self._is_allowed, told)
        sends = [
            (connection, hint)
            for hint, is_allowed in zip(told, allowed, strict=True)
            if is_allowed
            for connection in connections[hint.to_user]
        ]
        outcomes = side_by_side.run(lambda send: self._send(*send), sends)
        report = Report(sent=outcomes.count(Outcome.SENT), failed=outcomes.count(Outcome.FAILED))
        for (_, hint), outcome in zip(sends, outcomes, strict=True):
            if outcome is Outcome.SENT and hint.type == "message_group" and hint.position:
                lag = self._clock() - hint.position.created_at
                report.lags_ms.append(lag.total_seconds() * 1000)
        return report

    def _open_connections(self, user_uuid: str) -> list[Connection]:
        """Return the connections of a user; those whose token has ended are closed."""
        standing = self._table.list_connections(user_uuid)
        now = self._clock()
        for connection in standing:
            if connection.expires_at <= now:
                live.close_expired(self._table, self._channel, connection)
        return [connection for connection in standing if connection.expires_at > now]

    def _is_allowed(self, hint: Hint) -> bool:
        """How far somebody has read is told only if both users let others know that."""
        if hint.from_user is None:
            return True
        settings = self._table.get_settings_of([hint.from_user, hint.to_user])
        return all(each.read_receipts for each in settings)

    def _send(self, connection: Connection, hint: Hint) -> Outcome:
        outcome = self._channel.send(connection.connection_id, hint.body())
        if outcome is Outcome.GONE and self._clock() - connection.connected_at > OPENING:
            self._table.delete_connection(connection)
        return outcome


@environment.once
def of_environment() -> Notifier:
    """Return the notifier of this environment."""
    return Notifier(repository.of_environment(), web_socket.channel())


def hints_of(record: Mapping[str, Any]) -> Iterator[Hint]:
    """Yield who is to be told what about a changed row; nothing for another record.

    Nobody can tell on which of their devices a user has marked something: all of them are told.
    """
    images = record.get("dynamodb", {})
    old, new = _row(images.get("OldImage")), _row(images.get("NewImage"))
    if new is None:
        return
    group = new.message_group_uuid
    if old is None or (old.last_sk, old.their_sk) != (new.last_sk, new.their_sk):
        yield Hint(
            to_user=new.owner_uuid,
            type="message_group",
            message_group_uuid=group,
            position=new.position,
        )
    if old is None or old.marks == new.marks:
        return
    yield Hint(to_user=new.owner_uuid, type="marks", message_group_uuid=group)
    if new.marks.read_up_to and new.marks.read_sk != old.marks.read_sk:
        yield Hint(
            to_user=new.user_uuid,
            type="receipt",
            message_group_uuid=group,
            position=new.marks.read_up_to,
            from_user=new.owner_uuid,
        )


def _row(image: Any) -> MessageGroupRow | None:
    """Return the message group row in an image, if it is one that the API could show."""
    try:
        return MessageGroupRow.from_item(from_dynamodb(image))
    except UnreadableItemError:
        return None
