"""The address of AWS for clients: passes every call on, and calls the user pool's triggers.

The engine behind it calls no triggers itself.
"""

import json
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import OperationNotFoundError, ServiceModel
from botocore.validate import ParamValidator
from starlette.requests import Request
from starlette.responses import Response

from sam_offline.access import is_engine_path
from sam_offline.console import say
from sam_offline.functions import Functions
from sam_offline.ministack import CREDENTIALS
from sam_offline.server import message
from sam_offline.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

__all__ = ["AwsEndpoint", "Triggers"]

# Headers that belong to one connection, and those that httpx decodes or sets itself.
_PER_CONNECTION = {
    *("connection", "content-encoding", "content-length", "date", "keep-alive", "server"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
}
_COGNITO = "AWSCognitoIdentityProviderService"
# Calls after which the pool sends an e-mail, which the terminal shows.
_SENDS_MAIL = {
    *("AdminCreateUser", "AdminResetUserPassword", "ForgotPassword", "ResendConfirmationCode"),
    *("SignUp", "GetUserAttributeVerificationCode", "UpdateUserAttributes"),
}
# The triggers of calls that are not made when the trigger fails.
_BEFORE = {"SignUp": "PreSignUp_SignUp", "AdminCreateUser": "PreSignUp_AdminCreateUser"}
# The triggers that follow a successful call. When one fails, the caller gets its error, no tokens.
_AFTER = {
    "ConfirmSignUp": "PostConfirmation_ConfirmSignUp",
    "AdminConfirmSignUp": "PostConfirmation_ConfirmSignUp",
    "ConfirmForgotPassword": "PostConfirmation_ConfirmForgotPassword",
    # A sign-in: by a password, or by the answer to a challenge of the pool.
    "InitiateAuth": "PostAuthentication_Authentication",
    "AdminInitiateAuth": "PostAuthentication_Authentication",
    "RespondToAuthChallenge": "PostAuthentication_Authentication",
    "AdminRespondToAuthChallenge": "PostAuthentication_Authentication",
}
# Cognito waits five seconds for a trigger.
_TRIGGER_SECONDS = 5.0


class _RefusedError(Exception):
    """Cognito refuses a call; `answer` is what the caller gets."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.answer = Response(
            json.dumps({"__type": kind, "message": text}),
            400,
            {"x-amzn-errortype": kind},
            "application/x-amz-json-1.1",
        )


class Triggers:
    """Calls the functions of the user pool's triggers, with Cognito's events."""

    def __init__(
        self, stack: Stack, functions: Functions, cognito: "CognitoIdentityProviderClient"
    ) -> None:
        self._names = stack.triggers()
        self._functions = functions
        self._cognito = cognito
        self._pool_id = stack.id_of("Cognito::UserPool")
        self._client_id = stack.id_of("Cognito::UserPoolClient")
        self._region = stack.region

    def around(
        self, action: str, data: dict[str, Any], forward: Callable[[], Response]
    ) -> Response:
        """Make a call of Cognito, with its triggers before and after it."""
        _require_well_formed(self._cognito.meta.service_model, action, data)
        if not {self._pool_id, self._client_id} & {data.get("UserPoolId"), data.get("ClientId")}:
            return forward()
        if action in _BEFORE and data.get("MessageAction") != "RESEND":
            self._before(_BEFORE[action], data)
        answer = forward()
        if action in _AFTER and answer.status_code == httpx.codes.OK:
            self._after(_AFTER[action], data, json.loads(bytes(answer.body)))
        return answer

    def _before(self, source: str, data: dict[str, Any]) -> None:
        # `userName` is a uuid, as on AWS, but not the one that the engine then makes.
        # People sign up by e-mail address; Cognito makes it an attribute.
        attributes = {"email": data.get("Username", "")} | _pairs(data.get("UserAttributes", []))
        request = {
            "userAttributes": attributes,
            "validationData": _pairs(data.get("ValidationData", [])),
        }
        response = {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False}
        self._fire(source, str(uuid.uuid4()), data, request, response)

    def _after(self, source: str, data: dict[str, Any], answer: dict[str, Any]) -> None:
        request: dict[str, Any] = {}
        name = data.get("Username", "")
        if source == "PostAuthentication_Authentication":
            given = data.get("AuthParameters") or data.get("ChallengeResponses") or {}
            # Without a name tokens are only refreshed; without tokens a challenge comes first.
            if "USERNAME" not in given or not answer.get("AuthenticationResult"):
                return
            name = given["USERNAME"]
            request["newDeviceUsed"] = False
        if source == "PostConfirmation_ConfirmSignUp" and "ConfirmationCode" in data:
            # The code from an e-mail verifies the address. The engine leaves it unverified.
            self._cognito.admin_update_user_attributes(
                UserPoolId=self._pool_id,
                Username=name,
                UserAttributes=[{"Name": "email_verified", "Value": "true"}],
            )
        user = self._cognito.admin_get_user(UserPoolId=self._pool_id, Username=name)
        attributes = _pairs(user["UserAttributes"])
        request["userAttributes"] = attributes | {"cognito:user_status": user["UserStatus"]}
        self._fire(source, user["Username"], data, request, {})

    def _fire(
        self,
        source: str,
        user_name: str,
        data: dict[str, Any],
        request: dict[str, Any],
        response: dict[str, Any],
    ) -> None:
        """Call the trigger's function, if the pool has one."""
        trigger = source.partition("_")[0]
        if trigger not in self._names:
            return
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
            text = str(result.payload.get("errorMessage")).removesuffix(".")
            raise _RefusedError(
                "UserLambdaValidationException", f"{trigger} failed with error {text}."
            )
        if not isinstance(result.payload, dict) or "response" not in result.payload:
            raise _RefusedError("InvalidLambdaResponseException", "Unrecognizable lambda output")


class AwsEndpoint:
    """Passes calls on to the engine.

    With `sign_for`, signed calls are signed again, with the local keys and for this region: `sam
    local` gives containers the developer's own keys and region, or invented ones, and no setting
    changes that.
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

    def answer(self, request: Request, body: bytes) -> Response:
        """Answer one call; web pages may call Cognito only."""
        service, _, action = request.headers.get("x-amz-target", "").partition(".")
        origin = request.headers.get("origin")
        # A preflight does not tell which service the page is going to call.
        is_preflight = origin is not None and request.method == "OPTIONS"
        may_be_a_page = is_preflight or service == _COGNITO
        if is_engine_path(request.scope["path"]) or not (origin is None or may_be_a_page):
            return message(403, "Forbidden")
        if is_preflight:
            answer = Response(status_code=204)
        elif service == _COGNITO:
            answer = self._answer_cognito(action, request, body)
        else:
            answer = self._forward(request, body)
        if origin is not None:
            answer.headers["access-control-allow-origin"] = origin
            answer.headers["vary"] = "origin"
        asked = request.headers.get("access-control-request-headers")
        if is_preflight and asked:
            answer.headers["access-control-allow-headers"] = asked
        return answer

    def close(self) -> None:
        """Close the connections to the engine."""
        self._client.close()

    def _answer_cognito(self, action: str, request: Request, body: bytes) -> Response:
        try:
            data = _parsed(body)
            # Unchanged if possible, since the call may be signed.
            body = body if data == json.loads(body) else json.dumps(data).encode()
            return self._triggers.around(action, data, lambda: self._forward(request, body))
        except _RefusedError as refused:
            return refused.answer
        finally:
            if action in _SENDS_MAIL:
                self._show_mail()

    def _forward(self, request: Request, body: bytes) -> Response:
        # The Host header stays: it is part of what the caller signed.
        left_out = _PER_CONNECTION | {"origin"}
        headers = [pair for pair in request.headers.items() if pair[0] not in left_out]
        query = request.scope["query_string"].decode("latin-1")
        if self._sign_for:
            headers = _signed(request, headers, body, self._sign_for)
        path = request.scope["raw_path"].decode("latin-1")
        url = f"{self._engine_url}{path}{'?' if query else ''}{query}"
        try:
            response = self._client.request(request.method, url, headers=headers, content=body)
        except httpx.TransportError as error:
            return message(503, f"The AWS engine failed: {error}")
        kept = {
            name: value
            for name, value in response.headers.items()
            # The engine would let every page in.
            if name not in _PER_CONNECTION and not name.startswith("access-control-")
        }
        return Response(response.content, response.status_code, kept)

    def _show_mail(self) -> None:
        """Print the e-mails that the pool has sent since the last time."""
        with suppress(httpx.HTTPError):
            sent = self._client.get(f"{self._engine_url}/_ministack/ses/messages").json()
            for mail in (entry for entries in sent["messages"].values() for entry in entries):
                if mail["MessageId"] not in self._shown:
                    self._shown.add(mail["MessageId"])
                    text = mail["BodyText"] or mail["BodyHtml"]
                    say(f"local: e-mail to {', '.join(mail['To'])}: {text}")


_SIGNED_FOR = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d+/[^/]+/([^/]+)/")
_SIGNATURE = {"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}


def _signed(
    request: Request, headers: list[tuple[str, str]], body: bytes, region: str
) -> list[tuple[str, str]]:
    """Replace the signature in the headers by one with the local keys, for this region."""
    signed = _SIGNED_FOR.match(request.headers.get("authorization", ""))
    if not signed:
        return headers
    call = AWSRequest(
        method=request.method,
        url=f"http://{request.headers['host']}{request.scope['raw_path'].decode('latin-1')}",
        params=dict(parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True)),
        data=body,
        headers={name: value for name, value in headers if name not in _SIGNATURE},
    )
    SigV4Auth(Credentials(*CREDENTIALS.values()), signed[1], region).add_auth(call)
    return list(call.headers.items())


def _require_well_formed(service: ServiceModel, action: str, data: dict[str, Any]) -> None:
    """Refuse parameters that boto3's description of the service does not allow.

    With some of them the engine would fail. Unknown names pass, since AWS ignores them.
    """
    with suppress(OperationNotFoundError):  # which the engine refuses
        shape: Any = service.operation_model(action).input_shape
        given = {name: value for name, value in data.items() if name in shape.members}
        errors = ParamValidator().validate(given, shape)
        if errors.has_errors():
            report = errors.generate_report()
            is_of_type = "Invalid type for parameter" in report
            kind = "SerializationException" if is_of_type else "InvalidParameterException"
            raise _RefusedError(kind, report)


def _pairs(entries: Any) -> dict[str, str]:
    """Return Cognito's list of Name and Value as a dictionary."""
    return {entry["Name"]: entry.get("Value", "") for entry in entries}


def _parsed(body: bytes) -> dict[str, Any]:
    """Return the object in a body, without members that are null, which AWS ignores.

    With another body the engine would fail, not refuse the call.
    """

    def without_null(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in pairs if value is not None}

    with suppress(ValueError):
        data = json.loads(body, object_pairs_hook=without_null)
        if isinstance(data, dict):
            return data
    raise _RefusedError("SerializationException", "The input is no JSON object.")
