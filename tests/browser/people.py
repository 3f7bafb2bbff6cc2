"""People who use the web client, and what the API says of what they did."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from seed.examples import PASSWORD
from tests.local.conftest import RunningCloud
from tests.waiting import eventually


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone who has signed up; the API answers them, whatever their browser shows."""

    handle: str
    display_name: str
    email: str
    password: str
    token: str
    api: httpx.Client

    def write(self, other: "Person", text: str) -> dict[str, Any]:
        """Send a message without a browser; the answer."""
        path = "/api/message_groups"
        return dict(self._request("POST", path, handle=other.handle, message=text))

    def messages(self, message_group_uuid: str) -> list[str]:
        """The texts of a message group, oldest first."""
        path = f"/api/messages/{message_group_uuid}?limit=100&order=asc"
        return [row["message"] for row in self._request("GET", path)]

    def message_group(self, other: "Person") -> dict[str, Any]:
        """The message group with somebody, as the list has it."""
        rows = self._request("GET", "/api/message_groups?counts=true&limit=100")
        (found,) = [row for row in rows if row["handle"] == other.handle]
        return dict(found)

    def read(self, message_group_uuid: str) -> None:
        """Mark everything in a message group as read."""
        (newest,) = self._request("GET", f"/api/messages/{message_group_uuid}?limit=1")
        position = {name: newest[name] for name in ("created_at", "uuid")}
        self._request("PATCH", f"/api/message_groups/{message_group_uuid}", read_up_to=position)

    def _request(self, method: str, path: str, **body: Any) -> Any:
        answer = self.api.request(
            method, path, json=body or None, headers={"Authorization": f"Bearer {self.token}"}
        )
        assert answer.is_success, answer.text
        return answer.json()


def code_for(cloud: RunningCloud, email: str) -> str:
    """Return the newest code that was sent to an address, from the terminal of `make run`."""

    def shown() -> str | None:
        found = re.findall(rf"e-mail to {email}: .*?(\d{{6}})", cloud.process.log.read_text())
        return found[-1] if found else None

    return eventually(shown)


def sign_up(cloud: RunningCloud, display_name: str) -> Person:
    """Make somebody new, by the way that people take, but without a browser."""
    handle = f"{display_name.split(maxsplit=1)[0].lower()}{uuid4().hex[:8]}"
    email = f"{handle}@example.com"
    client_id = cloud.stack["UserPoolClientId"]
    attributes = {"email": email, "name": display_name, "preferred_username": handle}
    cloud.cognito.sign_up(
        ClientId=client_id,
        Username=email,
        Password=PASSWORD,
        UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
    )
    cloud.cognito.confirm_sign_up(
        ClientId=client_id, Username=email, ConfirmationCode=code_for(cloud, email)
    )
    return _signed_in(cloud, handle, display_name)


def of_the_seed(cloud: RunningCloud, display_name: str) -> Person:
    """Somebody who is there from the start."""
    return _signed_in(cloud, display_name.lower(), display_name)


def _signed_in(cloud: RunningCloud, handle: str, display_name: str) -> Person:
    email = f"{handle}@example.com"
    answer = cloud.cognito.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=cloud.stack["UserPoolClientId"],
        AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
    )
    return Person(
        handle=handle,
        display_name=display_name,
        email=email,
        password=PASSWORD,
        token=answer["AuthenticationResult"]["AccessToken"],
        api=cloud.client,
    )
