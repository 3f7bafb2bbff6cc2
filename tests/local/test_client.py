"""The Python client on the running application, as far as a fake of the API cannot show it."""

from contextlib import ExitStack

from websockets.sync.client import connect

from cruddur_client import Client
from tests.local.conftest import RunningCloud


def test_hints_are_told_until_ten_newer_connections_are_there(cloud: RunningCloud) -> None:
    with ExitStack() as until_the_end:
        reader, writer = (
            until_the_end.enter_context(Client(cloud.stack["ApiUrl"], cloud.token(handle)))
            for handle in ("lagoon", "harbor")
        )
        hints = reader.hints()
        assert next(hints).type == "connected"
        sent = writer.create_message_group("lagoon", "Are you there?")
        hint = next(hint for hint in hints if hint.message_uuid == sent.uuid)
        assert (hint.type, hint.uuid) == ("message_group", sent.message_group_uuid)
        assert hint.created_at == sent.created_at
        (newest, *_) = reader.list_messages(sent.message_group_uuid)
        assert newest.message == "Are you there?"
        for _ in range(10):
            ticket = reader.create_live_ticket()
            assert ticket.expires_at > sent.created_at
            socket = connect(f"{ticket.url}?ticket={ticket.ticket}", proxy=None)
            until_the_end.enter_context(socket)
        assert not [hint for hint in hints if hint.type == "connected"]
