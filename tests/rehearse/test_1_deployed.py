"""What stands after `sam deploy` is what template.yaml says."""

import json
import marshal
import re
import subprocess
import sys
from pathlib import Path

import pytest

from administration import database_users, schema
from bench.artifact import RUNTIME, deploy
from messaging import keys
from tests.fakes.template import DATABASE, create_table_arguments, read_stack
from tests.rehearse.cloud import REGION
from tests.rehearse.stage import STACK, TABLE, Stage


@pytest.fixture(scope="module", autouse=True)
def deployed(stage: Stage) -> None:
    stage.deploy()


def test_a_cold_start_compiles_nothing(stage: Stage, tmp_path: Path) -> None:
    """As sam zips it, with files of 1980, and with what a function and its layers import."""
    built = stage.project.folder / ".aws-sam" / "build" / "template.yaml"
    functions = read_stack(built, parameters=DATABASE).functions()
    for name, function in deploy(functions, tmp_path).items():
        imported = subprocess.run(
            [RUNTIME, "-P", "-v", "-c", "import app"],
            env=function.environment(),
            cwd=function.task,
            capture_output=True,
            text=True,
            check=True,
        )
        sources = re.findall(r"# code object from '?([^'\n]+)", imported.stderr)
        ours = [source for source in sources if str(tmp_path) in source]
        assert len(ours) > 20, name
        assert [source for source in ours if not source.endswith(".pyc")] == [], name
        # A traceback names the files as they are called in Lambda.
        assert name_of_source(function.task / "app.py") == "/var/task/app.py"
        layer = Path("python", "runtime", "errors.py")
        assert name_of_source(function.opt / layer) == str("/opt" / layer)


def name_of_source(module: Path) -> str:
    """What the bytecode of a module says that its source is called."""
    name = f"{module.stem}.{sys.implementation.cache_tag}.pyc"
    bytecode = (module.parent / "__pycache__" / name).read_bytes()
    return str(marshal.loads(bytecode[16:]).co_filename)


def test_the_stack_is_complete(stage: Stage) -> None:
    assert stage.describe()["StackStatus"] == "CREATE_COMPLETE"
    assert {r["ResourceStatus"] for r in stage.resources()} == {"CREATE_COMPLETE"}
    document = stage.template.document["Resources"]
    kinds = {resource["Type"] for resource in document.values()}
    wanted = {name for kind in kinds for name, _ in stage.template.resources(kind)}
    assert {logical_id(name) for name in stage.ids} == {logical_id(name) for name in wanted}
    assert len(wanted) > 60


def logical_id(name: str) -> str:
    """A layer's logical id ends in the digest of its content, or of its place in S3."""
    return re.sub(r"(?<=Layer)[0-9a-f]{10}$", "", name)


def test_the_schema_was_loaded_by_the_custom_resource(stage: Stage) -> None:
    assert stage.rows("SELECT name FROM public.schema_migrations ORDER BY name") == [
        (name,) for name in schema.migrations()
    ]
    users = stage.rows(
        "SELECT rolname, array_to_string(rolconfig, ',') FROM pg_roles WHERE rolname ~ '^cruddur'"
    )
    assert {name for name, _ in users} == set(database_users.RIGHTS)
    assert all("idle_session_timeout" in settings for _, settings in users)
    assert stage.ids["Schema"] == "schema"


def test_the_table_has_its_keys_indexes_and_stream(stage: Stage) -> None:
    dynamodb = stage.aws.client("dynamodb")
    table = dynamodb.describe_table(TableName=TABLE)["Table"]
    wanted = create_table_arguments(stage.template)
    assert table["KeySchema"] == wanted["KeySchema"]
    made = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
    assert list(made) == [keys.ROWS_INDEX, keys.LIST_INDEX]
    for index in wanted["GlobalSecondaryIndexes"]:
        found = made[index["IndexName"]]
        assert found["KeySchema"] == index["KeySchema"]
        assert found["Projection"] == index["Projection"]
    assert table["StreamSpecification"] == wanted["StreamSpecification"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionProtectionEnabled"] is False


def test_the_stream_is_mapped_with_filter_retries_and_destination(stage: Stage) -> None:
    by_function = {each.function: each for each in stage.template.stream_mappings()}
    wanted, of_hints = by_function["UpdateMessageGroups"], by_function["SendHints"]
    found = stage.aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    mapping, hints = (
        next(m for m in found if m["FunctionArn"].endswith(f":{stage.ids[each.function]}"))
        for each in (wanted, of_hints)
    )
    assert len(found) == 2
    assert hints["EventSourceArn"] == mapping["EventSourceArn"]
    assert hints["MaximumRetryAttempts"] == of_hints.retries
    assert mapping["EventSourceArn"] == stage.outputs["TableStreamArn"]
    assert mapping["FunctionArn"].endswith(f":{stage.ids[wanted.function]}")
    assert mapping["State"] == "Enabled"
    assert mapping["StartingPosition"] == wanted.starting_position
    assert mapping["BatchSize"] == wanted.batch_size
    assert mapping["MaximumBatchingWindowInSeconds"] == wanted.window_seconds
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is wanted.bisect
    assert mapping["MaximumRetryAttempts"] == wanted.retries
    assert mapping["MaximumRecordAgeInSeconds"] == wanted.record_age_seconds
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == stage.queue_arn
    patterns = [entry["Pattern"] for entry in mapping["FilterCriteria"]["Filters"]]
    assert list(map(json.loads, patterns)) == list(map(json.loads, wanted.filters))


def test_every_function_has_its_code_layers_role_and_log_group(stage: Stage) -> None:
    for name, wanted in stage.template.functions().items():
        function = stage.function(name)
        assert function["Runtime"] == "python3.13", name
        assert function["Architectures"] == ["x86_64"], name
        assert (function["Timeout"], function["MemorySize"]) == (wanted.timeout, wanted.memory)
        layers = [layer["Arn"].split(":")[6] for layer in function["Layers"]]
        assert len(layers) == len(wanted.layers), name
        for layer, folder in zip(layers, wanted.layers, strict=True):
            assert layer.lower().startswith(f"{folder.name}layer"), name
        assert function["Role"].endswith(f"/{stage.ids[f'{name}Role']}"), name
        assert function["LoggingConfig"]["LogGroup"] == stage.ids["Logs"], name
        variables = function["Environment"]["Variables"]
        assert variables["TABLE_NAME"] == TABLE
        assert variables["POWERTOOLS_SERVICE_NAME"] == STACK
        assert set(variables) == set(wanted.environment), name


def test_every_role_has_its_policies(stage: Stage) -> None:
    iam = stage.aws.client("iam")
    for name in stage.template.functions():
        role = stage.ids[f"{name}Role"]
        attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        wanted = stage.template.document["Resources"][f"{name}Role"]["Properties"]
        assert {policy["PolicyArn"] for policy in attached} == {
            stage.ids[policy["Ref"]] if isinstance(policy, dict) else policy
            for policy in wanted["ManagedPolicyArns"]
        }, name
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            assert "Fn::" not in json.dumps(document)


def test_every_log_group_has_its_retention(stage: Stage) -> None:
    pages = stage.aws.client("logs").get_paginator("describe_log_groups").paginate()
    groups = {
        g["logGroupName"]: g.get("retentionInDays") for page in pages for g in page["logGroups"]
    }
    wanted = [stage.ids[name] for name, _ in stage.template.resources("AWS::Logs::LogGroup")]
    assert len(wanted) == len({"Logs", "ApiLogs"})
    assert {groups[name] for name in wanted} == {30}


def test_every_alarm_tells_the_topic(stage: Stage) -> None:
    cloudwatch = stage.aws.client("cloudwatch")
    alarms = {a["AlarmName"]: a for a in cloudwatch.describe_alarms()["MetricAlarms"]}
    wanted = [stage.ids[name] for name, _ in stage.template.resources("AWS::CloudWatch::Alarm")]
    assert sorted(alarms) == sorted(wanted)
    assert all(alarm["AlarmActions"] == [stage.ids["AlarmTopic"]] for alarm in alarms.values())
    iterator_age = alarms[stage.ids["IteratorAgeAlarm"]]
    function = stage.ids["UpdateMessageGroups"]
    assert iterator_age["Dimensions"] == [{"Name": "FunctionName", "Value": function}]
    parked = alarms[stage.ids["ParkedRecordsAlarm"]]
    assert parked["Dimensions"] == [{"Name": "service", "Value": STACK}]
    assert cloudwatch.get_dashboard(DashboardName=stage.ids["Dashboard"])["DashboardBody"]


def test_the_only_way_out_of_the_network_is_the_endpoint(stage: Stage) -> None:
    ec2 = stage.aws.client("ec2")
    (endpoint,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[stage.ids["DynamoDBEndpoint"]])[
        "VpcEndpoints"
    ]
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["ServiceName"] == f"com.amazonaws.{REGION}.dynamodb"
    assert endpoint["RouteTableIds"] == [stage.ids["RouteTable"]]
    (group,) = ec2.describe_security_groups(GroupIds=[stage.ids["FunctionsSecurityGroup"]])[
        "SecurityGroups"
    ]
    assert {rule["FromPort"] for rule in group["IpPermissionsEgress"]} >= {443, 5432}


def test_the_pool_calls_the_triggers(stage: Stage) -> None:
    pool = stage.aws.client("cognito-idp").describe_user_pool(UserPoolId=stage.ids["UserPool"])
    triggers = pool["UserPool"]["LambdaConfig"]
    assert triggers["PreSignUp"].endswith(stage.ids["CheckSignUp"])
    for trigger in ("PostConfirmation", "PostAuthentication"):
        assert triggers[trigger].endswith(stage.ids["ConfirmUser"])


def test_the_outputs_say_where_everything_is(stage: Stage) -> None:
    outputs = stage.outputs
    declared = stage.template.document["Outputs"].items()
    wanted = {
        name
        for name, output in declared
        if "Condition" not in output or stage.template.condition(output["Condition"])
    }
    assert set(outputs) == wanted
    assert outputs["TableName"] == TABLE
    assert outputs["Region"] == REGION
