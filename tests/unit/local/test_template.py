"""What local.template reads from the project's template, and from small ones of our own."""

from pathlib import Path

import pytest

from local.errors import TemplateError
from local.template import Stack, create_table_arguments, read_stack, time_to_live

_HEAD = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Origins: {Type: CommaDelimitedList, Default: "https://a.example, https://b.example"}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  Other: !Not [!Condition IsProd]
Resources:
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


@pytest.fixture(scope="module")
def stack() -> Stack:
    return read_stack(parameters={"DatabaseUrl": "postgresql://somewhere/cruddur"})


def _stack(tmp_path: Path, resources: str, **parameters: str) -> Stack:
    path = tmp_path / "template.yaml"
    path.write_text(_HEAD + resources)
    return read_stack(path, parameters=parameters)


def _value(tmp_path: Path, expression: str, **parameters: str) -> str:
    stack = _stack(tmp_path, _FUNCTION % expression, **parameters)
    return stack.functions()["Hello"].environment["VALUE"]


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


def test_what_refers_to_created_resources_is_resolved_when_they_are_known(stack: Stack) -> None:
    created = stack.with_created("UserPool", Ref="us-east-1_x").with_created(
        "UserPoolClient", Ref="client"
    )
    authorizer = created.authorizers()["CognitoJwt"]
    assert authorizer.issuer == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_x"
    assert authorizer.audience == ("client",)
    with pytest.raises(TemplateError, match=r"UserPool"):
        stack.authorizers()


def test_the_mapping_and_the_triggers(stack: Stack) -> None:
    created = stack.with_created("MessagesTable", Ref="t", StreamArn="arn:stream", Arn="arn:table")
    for name, _ in stack.resources("AWS::SQS::Queue"):
        created = created.with_created(name, Ref="url", Arn=f"arn:queue:{name}")
    (mapping,) = created.stream_mappings()
    assert mapping.function == "UpdateMessageGroups"
    assert mapping.stream_arn == "arn:stream"
    assert mapping.starting_position == "TRIM_HORIZON"
    assert mapping.reports_failures
    assert stack.triggers() == {
        "PreSignUp": "CheckSignUp",
        "PostConfirmation": "ConfirmUser",
        "PostAuthentication": "ConfirmUser",
    }


def test_table_arguments_fit_create_table(stack: Stack) -> None:
    arguments = create_table_arguments(stack)
    assert arguments["StreamSpecification"]["StreamEnabled"]
    assert "TimeToLiveSpecification" not in arguments
    assert time_to_live(stack) == {"AttributeName": "expires_at", "Enabled": True}


def test_a_list_parameter_gives_a_list_of_origins(stack: Stack) -> None:
    cors = read_stack(parameters={"AllowedOrigins": "https://a.example, https://b.example"}).cors()
    assert cors
    assert cors.origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("!Ref Stage", "dev"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Sub '${Stage}-${AWS::AccountId}-${!kept}'", "dev-000000000000-${kept}"),
        ("!Sub ['${a}/${Stage}', {a: !Ref Stage}]", "dev/dev"),
        ("!If [IsProd, p, !If [Other, o, x]]", "o"),
        ("!Join ['-', [a, !Ref Stage]]", "a-dev"),
        ("!Select [1, !Split [',', 'a,b']]", "b"),
        ("!Select [1, !Ref Origins]", "https://b.example"),
        ("5", "5"),
        ("!GetAtt Hello.Arn", "arn:aws:lambda:us-east-1:000000000000:function:Hello"),
    ],
)
def test_intrinsics(tmp_path: Path, expression: str, value: str) -> None:
    assert _value(tmp_path, expression) == value


def test_no_value_is_no_variable(tmp_path: Path) -> None:
    stack = _stack(tmp_path, _FUNCTION % "!If [IsProd, p, !Ref AWS::NoValue]")
    assert "VALUE" not in stack.functions()["Hello"].environment


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("!ImportValue x", "Fn::ImportValue"),
        ("!Base64 x", "Fn::Base64"),
        ("!GetAtt Hello.Version", "Hello.Version"),
        ("!Ref Nobody", "Nobody"),
    ],
)
def test_what_is_not_understood_is_an_error_that_names_it(
    tmp_path: Path, expression: str, name: str
) -> None:
    with pytest.raises(TemplateError, match=name):
        _value(tmp_path, expression)


def test_an_unknown_parameter_and_a_broken_template_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="Colour"):
        _stack(tmp_path, _FUNCTION % "x", Colour="red")
    with pytest.raises(TemplateError, match="Handlebar"):
        _stack(tmp_path, (_FUNCTION % "x").replace("Handler", "Handlebar"))


def test_a_resource_whose_condition_is_false_does_not_exist(tmp_path: Path) -> None:
    resources = (_FUNCTION % "x").replace("    Type:", "    Condition: IsProd\n    Type:", 1)
    assert not _stack(tmp_path, resources).functions()
    assert _stack(tmp_path, resources, Stage="prod").functions()
