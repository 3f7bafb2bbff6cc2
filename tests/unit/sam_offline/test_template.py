"""What is read from the project's template, and from small ones of our own."""

import json
from pathlib import Path
from typing import Any

import pytest

from sam_offline.errors import TemplateError
from sam_offline.stack import Stack
from sam_offline.template import RESOLVED, Template, translate
from tests.fakes.template import DATABASE, create_table_arguments, read_stack, time_to_live

_HEAD = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Origins: {Type: CommaDelimitedList, Default: "https://a.example, https://b.example"}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Queue: {Type: AWS::SQS::Queue}
"""

_FUNCTION = """
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: app.lambda_handler
      CodeUri: functions/hello
      Environment:
        Variables:
          VALUE: %s
"""


def _template(tmp_path: Path, resources: str, **parameters: str) -> Template:
    path = tmp_path / "template.yaml"
    path.write_text(_HEAD + resources)
    return translate(path, parameters=parameters)


def _asked(tmp_path: Path, expression: str) -> Any:
    """What the engine is asked for the variable."""
    asked = _template(tmp_path, _FUNCTION % expression).asked()
    return asked["Lambda::Function"]["Hello"]["Environment"]["Variables"]["VALUE"]


@pytest.fixture(scope="module")
def stack() -> Any:
    return read_stack(parameters=DATABASE)


def test_functions_have_their_layers_and_only_their_environment(stack: Stack) -> None:
    function = stack.functions()["ListMessages"]
    assert function.code == stack.folder / "functions" / "list_messages"
    assert [folder.name for folder in function.layers] == ["messaging", "directory"]
    assert function.environment["TABLE_NAME"] == "cruddur-messages"
    assert function.environment["AWS_ENDPOINT_URL"] == ""
    assert "ADMINISTER_DIRECTORY_FUNCTION" not in function.environment


def test_every_route_leads_to_a_function_behind_the_authorizer(stack: Stack) -> None:
    routes = {(route.method, route.path): route for route in stack.routes()}
    route = routes["GET", "/api/messages/{message_group_uuid}"]
    assert route.function == "ListMessages"
    assert {route.authorizer for route in routes.values()} == {"CognitoJwt"}


def test_the_authorizer_is_that_of_the_pool_and_its_client(stack: Any) -> None:
    created = stack.with_created("UserPool", Ref="us-east-1_x").with_created(
        "UserPoolClient", Ref="client"
    )
    authorizer = created.authorizers()["CognitoJwt"]
    assert authorizer.issuer == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_x"
    assert authorizer.audience == ("client",)


def test_the_mapping_and_the_triggers(stack: Any) -> None:
    created = stack.with_created(
        "MessagesTable", Ref="t", StreamArn="arn:aws:dynamodb:stream", Arn="arn:table"
    )
    mappings = {mapping.function: mapping for mapping in created.stream_mappings()}
    assert set(mappings) == {"UpdateMessageGroups", "SendHints"}
    mapping = mappings["UpdateMessageGroups"]
    assert mapping.stream_arn == "arn:aws:dynamodb:stream"
    assert mapping.starting_position == "TRIM_HORIZON"
    assert mapping.reports_failures
    assert stack.triggers() == {
        "PreSignUp": "CheckSignUp",
        "PostConfirmation": "ConfirmUser",
        "PostAuthentication": "ConfirmUser",
    }


def test_table_arguments_fit_create_table(stack: Any) -> None:
    arguments = create_table_arguments(stack)
    assert arguments["StreamSpecification"]["StreamEnabled"]
    assert "TimeToLiveSpecification" not in arguments
    assert time_to_live(stack) == {"AttributeName": "expires_at", "Enabled": True}


def test_a_list_parameter_gives_a_list_of_origins() -> None:
    cors = read_stack(parameters={"AllowedOrigins": "https://a.example, https://b.example"}).cors()
    assert cors["allowOrigins"] == ["https://a.example", "https://b.example"]


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        # What the engine does not make is put in as text; all else is the engine's to resolve.
        ("!GetAtt Hello.Arn", "arn:aws:lambda:us-east-1:000000000000:function:Hello"),
        ("!Ref Hello", "Hello"),
        ("!Sub '${Hello}-${Queue}'", {"Fn::Sub": "Hello-${Queue}"}),
        (
            "!Sub ['${a}-${Hello}', {a: !Ref Stage}]",
            {"Fn::Sub": ["${a}-Hello", {"a": {"Ref": "Stage"}}]},
        ),
        ("!GetAtt Queue.Arn", {"Fn::GetAtt": ["Queue", "Arn"]}),
        ("!If [IsProd, p, !Ref Queue]", {"Fn::If": ["IsProd", "p", {"Ref": "Queue"}]}),
        ("!Ref Bucket", "not served here: !Ref Bucket (AWS::S3::Bucket)"),
        ("!GetAtt Bucket.Arn", "not served here: !GetAtt Bucket.Arn (AWS::S3::Bucket)"),
    ],
)
def test_references_to_what_the_engine_does_not_make_are_text(
    tmp_path: Path, expression: str, asked: Any
) -> None:
    assert _asked(tmp_path, expression) == asked


def test_the_engine_makes_what_it_makes_rightly_and_answers_the_rest(tmp_path: Path) -> None:
    template = _template(tmp_path, _FUNCTION % "x").for_engine()
    assert set(template["Resources"]) == {"Queue"}
    assert set(template["Outputs"]) == {RESOLVED}
    json.dumps(template)


def test_an_unknown_parameter_and_a_broken_template_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="Colour"):
        _template(tmp_path, _FUNCTION % "x", Colour="red")
    with pytest.raises(TemplateError, match="Handlebar"):
        _template(tmp_path, (_FUNCTION % "x").replace("Handler", "Handlebar"))


def test_a_resource_with_a_condition_is_asked_for_on_that_condition(tmp_path: Path) -> None:
    resources = (_FUNCTION % "x").replace("    Type:", "    Condition: IsProd\n    Type:", 1)
    asked = _template(tmp_path, resources).asked()["Lambda::Function"]["Hello"]
    assert asked["Fn::If"][0] == "IsProd"
    assert asked["Fn::If"][2] == {"Ref": "AWS::NoValue"}
