"""The address that clients use for AWS: passes every call on and plays the pool's triggers.

The engine behind it fires no triggers itself.
"""

import contextlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import OperationNotFoundError, ServiceModel
from botocore.validate import ParamValidator

from sam_offline.console import say
from sam_offline.doors import is_engines_own
from sam_offline.functions import Functions
from sam_offline.ministack import CREDENTIALS
from sam_offline.server import Answer, Request

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

__all__ = ["AwsEndpoint", "Triggers"]

# Headers that belong to one connection, and what httpx undoes or sets anew.
_PER_CONNECTION = {
    *("connection", "content-encoding", "content-length", "date", "keep-alive", "server"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
}
_FORBIDDEN = Answer.json(403, '{"message":"Forbidden"}')
# As Cognito says it; the engine takes it for a failure of its own.
_NO_INPUT = Answer.json(
    400, '{"__type": "SerializationException", "message": "The input is no JSON object."}'
)
_COGNITO = "AWSCognitoIdentityProviderService"
# Calls after which the pool sends a message, whose text the terminal then shows.
_SENDS_MAIL = {
    *("AdminCreateUser", "AdminResetUserPassword", "ForgotPassword", "ResendConfirmationCode"),
    *("SignUp", "GetUserAttributeVerificationCode", "UpdateUserAttributes"),
}
# Calls that may end in tokens: for a password, or for the answer to what the pool asked then.
_SIGNS_IN = {
    *("InitiateAuth", "AdminInitiateAuth"),
    *("RespondToAuthChallenge", "AdminRespondToAuthChallenge"),
}
# Cognito waits five seconds for a trigger.
_TRIGGER_SECONDS = 5.0

Forward = Callable[[], Answer]


class _RefusedError(Exception):
    """A trigger failed; `answer` is what Cognito says to the caller then."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        body = json.dumps({"__type": kind, "message": message})
        self.answer = Answer(
            status=400,
            body=body.encode(),
            headers=[("content-type", "application/x-amz-json-1.1"), ("x-amzn-errortype", kind)],
        )


class Triggers:
    """The functions of the user pool's triggers, called with Cognito's events."""

    def __init__(
        self,
        names: Mapping[str, str],
        functions: Functions,
        *,
        cognito: "CognitoIdentityProviderClient",
        pool_id: str,
        client_id: str,
        region: str,
    ) -> None:
        self._names = names
        self._functions = functions
        self._cognito = cognito
        self._pool_id = pool_id
        self._client_id = client_id
        self._region = region

    def around(self, action: str, data: dict[str, Any], forward: Forward) -> Answer:
        """Make a call of the pool with the triggers that belong to it, before or after."""
        hook = {
            "SignUp": self._sign_up,
            "AdminCreateUser": self._admin_create_user,
            "ConfirmSignUp": self._confirm_sign_up,
            "AdminConfirmSignUp": self._confirm_sign_up,
            "ConfirmForgotPassword": self._confirm_forgot_password,
            **dict.fromkeys(_SIGNS_IN, self._sign_in),
        }.get(action)
        ours = {self._pool_id, self._client_id}
        try:
            _require_well_formed(self._cognito.meta.service_model, action, data)
            is_ours = ours.intersection({data.get("UserPoolId"), data.get("ClientId")})
            return hook(data, forward) if hook and is_ours else forward()
        except _RefusedError as refused:
            return refused.answer

    def _sign_up(self, data: dict[str, Any], forward: Forward) -> Answer:
        """PreSignUp, then the call: a trigger that fails leaves no user.

        `userName` is a uuid as in the cloud, yet not the one that the engine then makes.
        """
        wishes = self._pre_sign_up("PreSignUp_SignUp", data)
        answer = forward()
        if answer.status != httpx.codes.OK or not wishes.get("autoConfirmUser"):
            return answer
        user = json.loads(answer.body)["UserSub"]
        if wishes.get("autoVerifyEmail"):
            self._verify_email(user)
        self._cognito.admin_confirm_sign_up(UserPoolId=self._pool_id, Username=user)
        self._with_user("PostConfirmation_ConfirmSignUp", user, data)
        return Answer.json(200, json.dumps({"UserConfirmed": True, "UserSub": user}))

    def _admin_create_user(self, data: dict[str, Any], forward: Forward) -> Answer:
        if data.get("MessageAction") != "RESEND":
            self._pre_sign_up("PreSignUp_AdminCreateUser", data)
        return forward()

    def _confirm_sign_up(self, data: dict[str, Any], forward: Forward) -> Answer:
        """The call, then PostConfirmation: its failure is reported, yet the user is confirmed."""
        answer = forward()
        if answer.status == httpx.codes.OK:
            if "ConfirmationCode" in data:
                self._verify_email(data["Username"])
            self._with_user("PostConfirmation_ConfirmSignUp", data["Username"], data)
        return answer

    def _confirm_forgot_password(self, data: dict[str, Any], forward: Forward) -> Answer:
        answer = forward()
        if answer.status == httpx.codes.OK:
            self._with_user("PostConfirmation_ConfirmForgotPassword", data["Username"], data)
        return answer

    def _sign_in(self, data: dict[str, Any], forward: Forward) -> Answer:
        """The call, then PostAuthentication: when that fails, nobody gets the tokens.

        Tokens that a refresh token is given for are no sign-in.
        """
        answer = forward()
        given = data.get("AuthParameters") or data.get("ChallengeResponses") or {}
        if "USERNAME" in given and (_parsed(answer.body) or {}).get("AuthenticationResult"):
            name = given["USERNAME"]
            self._with_user("PostAuthentication_Authentication", name, data, newDeviceUsed=False)
        return answer

    def _pre_sign_up(self, source: str, data: dict[str, Any]) -> dict[str, Any]:
        attributes = _pairs(data, "UserAttributes")
        # People sign up by e-mail address; Cognito makes it an attribute.
        attributes.setdefault("email", data.get("Username", ""))
        validation = _pairs(data, "ValidationData")
        request = {"userAttributes": attributes, "validationData": validation}
        response = {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False}
        return self._fire(source, str(uuid.uuid4()), data, request, response)

    def _with_user(self, source: str, username: str, data: dict[str, Any], **more: Any) -> None:
        """Call the function of a trigger that is given the user as the pool has them."""
        user = self._cognito.admin_get_user(UserPoolId=self._pool_id, Username=username)
        attributes = {entry["Name"]: entry.get("Value", "") for entry in user["UserAttributes"]}
        attributes["cognito:user_status"] = user["UserStatus"]
        request = {"userAttributes": attributes, **more}
        self._fire(source, user["Username"], data, request, {})

    def _verify_email(self, username: str) -> None:
        """A code that came by e-mail proves the address; the engine does not note it."""
        self._cognito.admin_update_user_attributes(
            UserPoolId=self._pool_id,
            Username=username,
            UserAttributes=[{"Name": "email_verified", "Value": "true"}],
        )

    def _fire(
        self,
        source: str,
        user_name: str,
        data: dict[str, Any],
        request: dict[str, Any],
        response: dict[str, Any],
    ) -> dict[str, Any]:
        """Call the trigger's function, if the pool has one; its `response` part."""
        trigger = source.partition("_")[0]
        if trigger not in self._names:
            return response
        if "ClientMetadata" in data:
            request = {**request, "clientMetadata": data["ClientMetadata"]}
        event = {
            "version": "1",
            "region": self._region,
            "userPoolId": self._pool_id,
            "userName": user_name,
            "callerContext": {
                "awsSdkVersion": "aws-sdk-unknown-unknown",
                "clientId": data.get("ClientId", "CLIENT_ID_NOT_APPLICABLE"),
            },
            "triggerSource": source,
            "request": request,
            "response": response,
        }
        result = self._functions.invoke(self._names[trigger], event, limit=_TRIGGER_SECONDS)
        if result.failed:
            message = str(result.payload.get("errorMessage")).removesuffix(".")
            raise _RefusedError(
                "UserLambdaValidationException", f"{trigger} failed with error {message}."
            )
        if not isinstance(result.payload, dict) or "response" not in result.payload:
            raise _RefusedError("InvalidLambdaResponseException", "Unrecognizable lambda output")
        returned: dict[str, Any] = result.payload["response"] or {}
        return returned


class AwsEndpoint:
    """Passes calls on to the engine.

    With `sign_for` a region, calls that are signed with other keys than the local ones, or for
    another region, are signed anew: `sam local` gives containers the developer's own keys and
    region, or made-up ones, and nothing that the template or a file says changes that.
    """

    def __init__(self, engine_url: str, triggers: Triggers, *, sign_for: str | None = None) -> None:
        self._engine_url = engine_url
        self._triggers = triggers
        self._sign_for = sign_for
        self._client = httpx.Client(
            timeout=70,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )
        self._shown: set[str] = set()

    def answer(self, request: Request) -> Answer:
        """Answer one call; of a page, which the server let in, Cognito's only."""
        if is_engines_own(request.path):
            return _FORBIDDEN
        origin = request.header("origin")
        if origin is None:
            return self._answer(request)
        # What headers the page will send stands in its question; what it asks for does not.
        is_preflight = request.method == "OPTIONS"
        if not (is_preflight or (request.header("x-amz-target") or "").startswith(f"{_COGNITO}.")):
            return _FORBIDDEN
        answer = Answer(status=204) if is_preflight else self._answer(request)
        asked = request.header("access-control-request-headers")
        cors = {
            "access-control-allow-origin": origin,
            "vary": "origin",
            **({"access-control-allow-headers": asked} if is_preflight and asked else {}),
        }
        return replace(answer, headers=[*answer.headers, *cors.items()])

    def _answer(self, request: Request) -> Answer:
        service, _, action = (request.header("x-amz-target") or "").partition(".")
        if service != _COGNITO:
            return self._forward(request)
        data = _parsed(request.body)
        if data is None:
            return _NO_INPUT
        if data != json.loads(request.body):
            request = replace(request, body=json.dumps(data).encode())
        answer = self._triggers.around(action, data, lambda: self._forward(request))
        if action in _SENDS_MAIL and answer.status == httpx.codes.OK:
            self._show_mail()
        return answer

    def close(self) -> None:
        """Close the connections to the engine."""
        self._client.close()

    def _forward(self, request: Request) -> Answer:
        query = f"?{request.query}" if request.query else ""
        # The Host header stays: it is part of what the caller signed.
        headers = [pair for pair in request.headers if pair[0] not in _PER_CONNECTION | {"origin"}]
        if self._sign_for:
            headers = _signed(request, headers, self._sign_for)
        try:
            response = self._client.request(
                request.method,
                f"{self._engine_url}{request.path}{query}",
                headers=headers,
                content=request.body,
            )
        except httpx.TransportError as error:
            return Answer.json(503, json.dumps({"message": f"The AWS engine failed: {error}"}))
        return Answer(
            status=response.status_code,
            body=response.content,
            headers=[
                (name, value)
                for name, value in response.headers.multi_items()
                # The engine would let every page in.
                if name.lower() not in _PER_CONNECTION
                and not name.lower().startswith("access-control-")
            ],
        )

    def _show_mail(self) -> None:
        """Print what the pool sent."""
        with contextlib.suppress(httpx.HTTPError):
            sent = self._client.get(f"{self._engine_url}/_ministack/ses/messages").json()
            for message in (entry for entries in sent["messages"].values() for entry in entries):
                if message["MessageId"] not in self._shown:
                    self._shown.add(message["MessageId"])
                    text = message["BodyText"] or message["BodyHtml"]
                    say(f"local: e-mail to {', '.join(message['To'])}: {text}")


_SIGNED_WITH = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
_SIGNATURE = {"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}


def _signed(request: Request, headers: list[tuple[str, str]], region: str) -> list[tuple[str, str]]:
    """The headers with the local keys' signature for the region in place of any other."""
    signed = _SIGNED_WITH.match(request.header("authorization") or "")
    key, secret = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    if not signed or (signed[1], signed[2]) == (key, region):
        return headers
    call = AWSRequest(
        method=request.method,
        url=f"http://{request.header('host')}{request.path}",
        params=dict(parse_qsl(request.query, keep_blank_values=True)),
        data=request.body,
        headers={name: value for name, value in headers if name not in _SIGNATURE},
    )
    SigV4Auth(Credentials(key, secret), signed[3], region).add_auth(call)
    return list(call.headers.items())


def _require_well_formed(service: ServiceModel, action: str, data: dict[str, Any]) -> None:
    """Refuse what a service's own description does not allow; the engine fails at some of it.

    Names that the description does not have are left to the engine, as AWS ignores them.
    """
    try:
        shape = service.operation_model(action).input_shape
    except OperationNotFoundError:  # the engine refuses it
        return
    if shape is None:
        return
    given = {name: value for name, value in data.items() if name in shape.members}
    errors = ParamValidator().validate(given, shape)
    if errors.has_errors():
        report = errors.generate_report()
        is_of_type = "Invalid type for parameter" in report
        kind = "SerializationException" if is_of_type else "InvalidParameterException"
        raise _RefusedError(kind, report)


def _pairs(data: dict[str, Any], name: str) -> dict[str, str]:
    """The names and values in a call."""
    return {entry["Name"]: entry.get("Value", "") for entry in data.get(name, [])}


def _parsed(body: bytes) -> dict[str, Any] | None:
    """The object in a body, where null is as good as nothing, as for AWS; None without one."""
    with contextlib.suppress(ValueError):
        data = json.loads(body, object_pairs_hook=_not_null)
        if isinstance(data, dict):
            return data
    return None


def _not_null(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if value is not None}
