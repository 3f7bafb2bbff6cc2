"""The functions that were deployed run, each with its own layers, environment and role.

The emulator denies what a role does not allow. It knows no LeadingKeys and gives a role no
boundary; tests/integration/test_roles.py and tests/unit/test_template_rules.py check those.
"""

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from messaging.repository import Repository
from runtime.deadline import Deadline
from tests.fakes.people import GRAHAMS, REEF
from tests.rehearse.stage import FIRST, SECOND, Stage
from tests.waiting import eventually


def test_a_conversation_goes_through_all_functions(stage: Stage) -> None:
    for user in (GRAHAMS, REEF):
        stage.rows(
            "INSERT INTO public.users (uuid, handle, display_name, email, cognito_user_id) VALUES "
            f"('{user.uuid}', '{user.handle}', '{user.display_name}', "
            f"'{user.handle}@example.com', '{user.handle}')"
        )
    stage.deliver_first_messages_too()
    api = stage.gateway
    assert api.get("/api/users/reef/short", by="grahams").body["uuid"] == REEF.uuid
    first = api.post("/api/message_groups", {"handle": "reef", "message": FIRST}, by="grahams")
    assert first.status == 201
    group = first.body["message_group_uuid"]
    body = {"message_group_uuid": group, "message": SECOND, "message_uuid": GRAHAMS.uuid}
    assert api.post("/api/messages", body, by="reef").status == 200
    assert api.post("/api/messages", body, by="reef").status == 200
    messages = api.get(f"/api/messages/{group}", by="grahams").body
    assert [row["message"] for row in messages] == [SECOND, FIRST]


def test_the_rows_follow_the_stream(stage: Stage) -> None:
    def moved() -> bool | None:
        rows = stage.gateway.get("/api/message_groups", by="grahams").body
        return [row["message"] for row in rows] == [SECOND] or None

    assert eventually(moved)


def test_a_ticket_opens_one_connection_which_is_forgotten_when_it_is_closed(stage: Stage) -> None:
    """The emulator has the WebSocket API by another address than the stack is told, so that its
    functions cannot reach clients: hints are left to the local cloud.
    """
    table = Repository(stage.aws.client("dynamodb"), stage.table_name, deadline=Deadline())
    ticket = stage.gateway.post("/api/live", {}, by="grahams").body["ticket"]
    address = stage.aws.url.replace("http", "ws")
    url = f"{address}/_aws/execute-api/{stage.ids['Live']}/live?ticket={ticket}"
    with connect(url, proxy=None, open_timeout=None):
        assert len(table.list_connections(GRAHAMS.uuid)) == 1
        with pytest.raises(InvalidStatus), connect(url, proxy=None, open_timeout=None):
            pass
    eventually(lambda: None if table.list_connections(GRAHAMS.uuid) else True)


def test_without_its_statement_a_function_is_denied(stage: Stage) -> None:
    """The rights above are those of the roles: taken away, nothing else stands in for them."""
    iam = stage.aws.client("iam")
    name = stage.ids["ListMessageGroupsRole"]
    (own,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    role = {"RoleName": name, "PolicyName": own}
    policy = iam.get_role_policy(**role)["PolicyDocument"]
    iam.delete_role_policy(**role)
    try:
        assert stage.gateway.get("/api/message_groups", by="grahams").status == 500
    finally:
        iam.put_role_policy(**role, PolicyDocument=json.dumps(policy))
    assert stage.gateway.get("/api/message_groups", by="grahams").status == 200


def test_who_may_only_invoke_the_function_gives_no_account_away(stage: Stage) -> None:
    before = stage.rows("SELECT handle, cognito_user_id FROM public.users ORDER BY handle")
    ((handle, _), *_) = before
    event = {"action": "set-cognito-id", "handle": handle, "cognito_user_id": "mine"}
    assert "owner" in stage.invoke("AdministerDirectory", event)["Payload"]["error"]
    assert stage.rows("SELECT handle, cognito_user_id FROM public.users ORDER BY handle") == before
