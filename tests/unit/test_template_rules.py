"""Rules of our own for template.yaml: what no linter knows of this application."""

import json
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from administration import database_users
from commands.retained import retained_template
from commands.web.site import Site
from directory.config import RDS_CERTIFICATES
from directory.errors import SignUpError
from functions.update_message_groups import app as update_message_groups
from messaging import hints, keys, repository
from messaging.errors import UnreadableItemError
from messaging.stream import Report
from sam_offline.template import read
from tests.fakes.gateway import Context
from tests.fakes.iam import CREATED, LIVE_API, OF_AWS, TABLE, Iam
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.template import Stack, read_stack

ROOT = Path(__file__).parents[2]
TEMPLATE = (ROOT / "template.yaml").read_text()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
DEPLOYING = (ROOT / "docs" / "deploy.md").read_text()

# Everything made by the stack; a VPC and a database that were there; only a VPC that was there.
VARIANTS: dict[str, dict[str, str]] = {
    "new": {},
    "existing": {"VpcId": "vpc-1", "DatabaseUrl": "postgresql://db:5432/cruddur"},
    "existing network": {"VpcId": "vpc-1"},
    "public": {"DatabasePublic": "true"},
    "provisioned": {"BillingMode": "PROVISIONED"},
    "former index": {"RowsIndexProjection": "ALL"},
    "without that index": {"RowsIndexProjection": "NONE"},
    "restored": {"DatabaseSnapshot": "snapshot"},
    "protected": {"DeletionProtection": "true"},
    "web client": {"WebClient": "true"},
}
TABLE_ARN = {"Fn::GetAtt": ["MessagesTable", "Arn"]}


class Resources:
    """The translated template's resources, those that the parameters leave out left out."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        document = stack.document["Resources"]
        kinds = {resource["Type"] for resource in document.values()}
        names = {name for kind in kinds for name, _ in stack.resources(kind)}
        self.all = {name: document[name] for name in sorted(names)}

    def of(self, kind: str) -> dict[str, Any]:
        """The properties of a kind's resources, with the branches that conditions choose."""
        return {
            name: self.chosen(resource.get("Properties", {}))
            for name, resource in self.all.items()
            if resource["Type"] == kind
        }

    def properties(self, name: str) -> Any:
        return self.chosen(self.all[name]["Properties"])

    def chosen(self, value: Any) -> Any:
        """`value` with every Fn::If replaced by its branch, and parameters by their values."""
        if isinstance(value, dict):
            if value.get("Ref") in self.stack.parameters:
                return self.stack.parameters[value["Ref"]]
            if "Fn::If" in value:
                condition, then, otherwise = value["Fn::If"]
                return self.chosen(then if self.stack.condition(condition) else otherwise)
            return {key: self.chosen(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.chosen(item) for item in value]
        return value

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every statement of every policy, with the resource that it stands in."""
        for name, resource in self.all.items():
            yield from ((name, s) for s in _statements(self.chosen(resource.get("Properties"))))

    def functions(self) -> dict[str, Any]:
        return self.of("AWS::Lambda::Function")


def _statements(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "Effect" in value:
            yield value
        for item in value.values():
            yield from _statements(item)
    elif isinstance(value, list):
        for item in value:
            yield from _statements(item)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def index_arns(resources: Resources, *, partition_key: str | None = None) -> list[Any]:
    return [
        {"Fn::Sub": f"${{MessagesTable.Arn}}/index/{index['IndexName']}"}
        for index in resources.properties("MessagesTable")["GlobalSecondaryIndexes"]
        if partition_key in (None, index["KeySchema"][0]["AttributeName"])
    ]


@pytest.fixture(scope="module")
def variants() -> dict[str, Resources]:
    return {name: Resources(read_stack(parameters=given)) for name, given in VARIANTS.items()}


@pytest.fixture(scope="module")
def resources(variants: dict[str, Resources]) -> Resources:
    return variants["new"]


# --- functions


def test_all_functions_write_to_one_log_group_with_retention(resources: Resources) -> None:
    groups = resources.of("AWS::Logs::LogGroup")
    assert set(groups) == {"Logs", "ApiLogs"}
    assert all(group["RetentionInDays"] for group in groups.values())
    for name, function in resources.functions().items():
        assert function["LoggingConfig"] == {"LogGroup": {"Ref": "Logs"}}, name


def test_every_function_has_a_role_of_its_own_within_the_boundary(resources: Resources) -> None:
    for name, function in resources.functions().items():
        assert function["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}
        role = resources.properties(f"{name}Role")
        assert role["PermissionsBoundary"] == {"Ref": "FunctionBoundary"}


# The first reads a secret and answers CloudFormation; the others, or what calls them, have to reach
# API Gateway's address for connected clients. They see uuids and positions, and no directory.
OUTSIDE = {"ProvideSchema", "ConnectLive", "DisconnectLive", "KeepLive", "SendHints"}


def test_functions_that_touch_texts_or_people_are_in_the_closed_network(
    variants: dict[str, Resources],
) -> None:
    for variant, resources in variants.items():
        new = "VpcId" not in VARIANTS[variant]
        group = {"Ref": "FunctionsSecurityGroup"} if new else "sg-00000000"
        for name, function in resources.functions().items():
            network = function["VpcConfig"]
            if name in OUTSIDE:
                assert not network["SubnetIds"]
                assert not network["SecurityGroupIds"]
            else:
                assert network["SecurityGroupIds"] == [group], name
                assert len(network["SubnetIds"]) == 2, name


def test_only_what_is_outside_the_network_is_traced(resources: Resources) -> None:
    traced = {name for name, f in resources.functions().items() if "TracingConfig" in f}
    assert traced == {"ProvideSchema"}


def test_every_event_source_has_its_failure_destination(resources: Resources) -> None:
    mapping, hints = mappings(resources)
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {
        "Fn::GetAtt": ["FailedRecordsQueue", "Arn"]
    }
    # What can never succeed is parked, so nothing but time has to end what is tried again. This is
    # the most that Lambda takes; without an end the queue would never hear of anything.
    assert mapping["MaximumRetryAttempts"] == 10_000
    assert mapping["MaximumRecordAgeInSeconds"] == -1
    assert mapping["BisectBatchOnFunctionError"] is True
    queue = resources.properties("FailedRecordsQueue")
    assert queue["SqsManagedSseEnabled"] is True
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    # Hints get old: tried twice, then dropped, and nobody has to look after them.
    assert "DestinationConfig" not in hints
    assert (hints["MaximumRetryAttempts"], hints["MaximumRecordAgeInSeconds"]) == (1, 60)
    # However long the rows may take: what comes after would be too old by then.
    assert resources.functions()["SendHints"]["Timeout"] == hints["MaximumRecordAgeInSeconds"]
    assert hints["StartingPosition"] == "LATEST"


def mappings(resources: Resources) -> tuple[Any, Any]:
    """The mappings of the stream: of the rows' mover, and of the hints."""
    found = resources.of("AWS::Lambda::EventSourceMapping").values()
    by_function = {mapping["FunctionName"]["Ref"]: mapping for mapping in found}
    assert len(by_function) == len(found) == 2
    return by_function["UpdateMessageGroups"], by_function["SendHints"]


def test_hints_cannot_hold_up_the_rows(resources: Resources) -> None:
    """Each mapping reads the stream at its own pace; a shard takes two readers, and no third."""
    rows, hints = mappings(resources)
    assert rows["EventSourceArn"] == hints["EventSourceArn"]
    assert "ReservedConcurrentExecutions" not in json.dumps(resources.all)


# --- rights


def statements_with_wildcards(resources: Resources) -> list[dict[str, Any]]:
    found = []
    for _, statement in resources.statements():
        parts = [statement.get(key) for key in ("Action", "Resource", "Principal")]
        if "*" in json.dumps(parts) or "?" in json.dumps(parts):
            found.append(statement)
    return found


def test_no_wildcard_without_a_reason_beside_it(resources: Resources) -> None:
    """In the text: the statement has a comment above it, or in it."""
    lines = TEMPLATE.splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(r"\s+- .*Effect: ", line)]
    with_wildcard = 0
    for start in starts:
        indent = len(lines[start]) - len(lines[start].lstrip())
        end = start + 1
        while lines[end].startswith(" " * (indent + 1)):
            end += 1
        text = "\n".join(line for line in lines[start:end] if "LeadingKeys" not in line)
        if re.search(r"""["'/:]\*|\?\?""", re.sub(r"#.*", "", text)):
            with_wildcard += 1
            above = lines[start - 1].strip().startswith("#")
            assert above or "# " in text, "\n".join(lines[start:end])
    assert with_wildcard >= len(statements_with_wildcards(resources)) > 0


def test_no_statement_has_an_open_action_or_an_open_resource(resources: Resources) -> None:
    for name, statement in resources.statements():
        if statement["Effect"] == "Allow":
            actions = listed(statement["Action"])
            assert not [action for action in actions if "*" in action], name
            # Traces belong to no resource, nor do interfaces before they are made.
            if not all(action.startswith(("xray:", "ec2:")) for action in actions):
                assert statement.get("Resource") != "*", name


def test_what_awss_policies_open_the_boundary_closes(resources: Resources) -> None:
    iam = Iam(resources.stack)
    elsewhere = "arn:aws:dynamodb:us-east-1:000000000000:table/other/stream/now"
    stream = f"{TABLE}/stream/2026-11-21T00:00:00.000"
    group = "arn:aws:logs:us-east-1:000000000000:log-group"
    interface = "arn:aws:ec2:us-east-1:000000000000:network-interface/eni-1"
    for name in resources.functions():
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        by_code = {"lambda:SourceFunctionArn": arn}
        own = f"{group}:/cruddur/local:log-stream:one"
        assert iam.allows(name, "logs:PutLogEvents", own), name
        assert not iam.allows(name, "logs:PutLogEvents", f"{group}:/other:log-stream:one"), name
        # A group that Lambda makes has no retention.
        assert not iam.allows(name, "logs:CreateLogGroup", f"{group}:/cruddur/local:"), name
        # Lambda makes the interface with the role; the function's code may not.
        assert iam.allows(name, "ec2:CreateNetworkInterface", interface), name
        assert not iam.allows(name, "ec2:CreateNetworkInterface", interface, **by_code), name
        reads_stream = name in {"UpdateMessageGroups", "SendHints"}
        assert iam.allows(name, "dynamodb:GetRecords", stream) == reads_stream, name
        assert not iam.allows(name, "dynamodb:GetRecords", elsewhere), name
        traced = name == "ProvideSchema"
        assert iam.allows(name, "xray:PutTraceSegments", "*") == traced, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_boundary_has_what_the_template_gives_the_functions_and_no_other_action(
    variants: dict[str, Resources], variant: str
) -> None:
    iam = Iam(variants[variant].stack)
    roles = {name: iam.role(name) for name in variants[variant].functions()}
    for name, role in roles.items():
        for statement in role:
            if not statement.origin.startswith(OF_AWS):
                for action, resource in product(statement.actions, statement.resources):
                    key = "".join(statement.condition.get("ForAllValues:StringLike", {}))
                    context = {key: "GRP#one"} if key else {}
                    assert iam.within_boundary(action, resource, **context), (name, action)
    given = {action for role in roles.values() for s in role for action in s.actions}
    allowed = {a for s in iam.boundary if s.effect == "Allow" for a in s.actions}
    # A grant to the role, which is no policy, lets Lambda read the variables.
    assert allowed - given == {"kms:Decrypt"}
    # What AWS's policies would give beyond.
    assert {action.split(":")[0] for action in given - allowed} == {"logs", "xray"}


def test_rights_on_the_table_are_bound_to_partitions_that_keys_knows(resources: Resources) -> None:
    known = {
        *(f"{prefix}*" for prefix in vars(keys).values() if str(prefix).endswith("#")),
        keys.FAILED_PK,
    } - {"#*"}
    # The partitions of this index are bare uuids, which no prefix tells from others.
    (of_groups,) = index_arns(resources, partition_key="message_group_uuid")
    bound = set()
    for name, statement in resources.statements():
        if not name.endswith("Role"):
            continue
        for resource in listed(statement.get("Resource")):
            if resource == of_groups:
                assert statement["Action"] == "dynamodb:Query", name
            elif resource == TABLE_ARN or resource in index_arns(resources):
                (operator,) = statement["Condition"]
                assert operator == "ForAllValues:StringLike"
                patterns = statement["Condition"][operator]["dynamodb:LeadingKeys"]
                assert set(patterns) <= known, name
                bound |= set(patterns)
    assert bound == known


def test_the_endpoint_lets_through_what_the_roles_need_and_nothing_else(
    resources: Resources,
) -> None:
    (statement,) = resources.properties("DynamoDBEndpoint")["PolicyDocument"]["Statement"]
    assert statement["Resource"] == [TABLE_ARN, *index_arns(resources)]
    needed = {
        action
        for name, s in resources.statements()
        if name.endswith(("Role", "Access"))
        and name.removesuffix("Role") not in OUTSIDE
        and listed(s.get("Resource"))[0] in statement["Resource"]
        for action in listed(s["Action"])
    }
    assert set(statement["Action"]) == needed
    assert statement["Condition"] == {
        "StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}
    }


def test_only_what_sends_to_clients_may_do_so(resources: Resources) -> None:
    iam = Iam(resources.stack)
    ours = f"arn:aws:execute-api:us-east-1:000000000000:{LIVE_API}/live/POST/@connections/one="
    another = ours.replace(LIVE_API, "other")
    action = "execute-api:ManageConnections"
    allowed = {name for name in resources.functions() if iam.allows(name, action, ours)}
    assert allowed == {"ConnectLive", "KeepLive", "SendHints"}
    assert not [name for name in allowed if iam.allows(name, action, another)]


def test_only_the_reader_of_the_stream_may_give_up_records_and_to_its_queue_alone(
    resources: Resources,
) -> None:
    iam = Iam(resources.stack)
    queue = CREATED["FailedRecordsQueue"]["Arn"]
    action = "sqs:SendMessage"
    allowed = {name for name in resources.functions() if iam.allows(name, action, queue)}
    assert allowed == {"UpdateMessageGroups"}
    assert not iam.allows("UpdateMessageGroups", action, f"{queue}-of-another")
    assert not iam.allows("UpdateMessageGroups", "sqs:ReceiveMessage", queue)


def test_no_password_is_in_an_environment_variable(variants: dict[str, Resources]) -> None:
    document = read(ROOT / "template.yaml")
    secret = {name for name, p in document["Parameters"].items() if p.get("NoEcho")}
    assert not secret
    pattern = re.compile(document["Parameters"]["DatabaseUrl"]["AllowedPattern"])
    assert pattern.fullmatch("postgresql://host.example:5432/cruddur")
    assert not pattern.fullmatch("postgresql://user:password@host.example/cruddur")
    assert not pattern.fullmatch("postgresql://user@host.example/cruddur")
    assert not pattern.fullmatch("postgresql://host.example/cruddur?password=x")
    for resources in variants.values():
        for name, function in resources.functions().items():
            variables = json.dumps(function["Environment"]["Variables"]).lower()
            assert "password" not in variables
            assert ("secret" in variables) == (name == "ProvideSchema")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_function_signs_in_to_the_database_as_the_user_that_its_role_may_be(
    variants: dict[str, Resources], variant: str
) -> None:
    resources = variants[variant]
    iam = Iam(resources.stack)
    signs_in = {}
    for name, function in resources.functions().items():
        role = iam.role(name)
        asked = [r for s in role if "rds-db:connect" in s.actions for r in s.resources]
        may_be = {resource.rsplit("/", 1)[-1] for resource in asked}
        assert may_be <= set(database_users.RIGHTS), name
        assert all(iam.allows(name, "rds-db:connect", resource) for resource in asked), name
        variables = function["Environment"]["Variables"]
        signs_in[name] = variables["DATABASE_USER"]
        reads = any(layer["Ref"].startswith("DirectoryLayer") for layer in function["Layers"])
        assert may_be == ({signs_in[name]} if reads and signs_in[name] else set()), name
    writers = {name for name, user in signs_in.items() if user == database_users.SIGN_UP}
    assert writers == {"CheckSignUp", "ConfirmUser"}
    # What changes accounts is done as the owner, whose secret only a deployment reads.
    assert signs_in["AdministerDirectory"] == ""
    action = "secretsmanager:GetSecretValue"
    secrets = {n for n in signs_in for statement in iam.role(n) if action in statement.actions}
    assert secrets == {"ProvideSchema"}


# --- network


@pytest.mark.parametrize("variant", VARIANTS)
def test_functions_and_database_reach_each_other_and_nothing_else(
    variants: dict[str, Resources], variant: str
) -> None:
    resources = variants[variant]
    groups = resources.of("AWS::EC2::SecurityGroup")
    new_network = "VpcId" not in VARIANTS[variant]
    assert ("FunctionsSecurityGroup" in groups) == new_network
    assert ("DatabaseSecurityGroup" in groups) == ("DatabaseUrl" not in VARIANTS[variant])
    if new_network:
        functions = groups["FunctionsSecurityGroup"]
        cidr = resources.properties("Vpc")["CidrBlock"]
        assert "SecurityGroupIngress" not in functions
        out = {(r["FromPort"], r["ToPort"], r["CidrIp"]) for r in functions["SecurityGroupEgress"]}
        assert out == {(5432, 5432, cidr), (443, 443, "0.0.0.0/0")}
    if "DatabaseSecurityGroup" in groups:
        database = groups["DatabaseSecurityGroup"]
        (rule,) = database["SecurityGroupIngress"]
        assert (rule["FromPort"], rule["ToPort"]) == (5432, 5432)
        assert rule["SourceSecurityGroupId"] == (
            {"Ref": "FunctionsSecurityGroup"} if new_network else "sg-00000000"
        )
        (nothing,) = database["SecurityGroupEgress"]
        assert nothing["CidrIp"] == "127.0.0.1/32"
        instance = resources.properties("Database")
        assert instance["VPCSecurityGroups"] == [{"Ref": "DatabaseSecurityGroup"}]
    kinds = {resource["Type"] for resource in resources.all.values()}
    assert not kinds & {"AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_there_is_no_way_to_the_internet_and_nothing_to_pay_for(
    variants: dict[str, Resources], variant: str
) -> None:
    resources = variants[variant]
    kinds = {resource["Type"] for resource in resources.all.values()}
    assert "AWS::EC2::NatGateway" not in kinds
    assert ("AWS::EC2::InternetGateway" in kinds) == (variant == "public")
    endpoints = resources.of("AWS::EC2::VPCEndpoint").values()
    assert all(endpoint["VpcEndpointType"] == "Gateway" for endpoint in endpoints)
    if vpcs := resources.of("AWS::EC2::VPC"):
        assert vpcs["Vpc"]["EnableDnsSupport"] is vpcs["Vpc"]["EnableDnsHostnames"] is True


def test_an_existing_network_and_database_are_left_alone(variants: dict[str, Resources]) -> None:
    kinds = {resource["Type"] for resource in variants["existing"].all.values()}
    assert not [kind for kind in kinds if kind.startswith(("AWS::EC2::", "AWS::RDS::"))]


# --- data


def test_what_holds_data_outlives_the_stack_and_is_protected(
    variants: dict[str, Resources],
) -> None:
    resources = variants["protected"]
    kept = {"MessagesTable": "RetainExceptOnCreate", "UserPool": "RetainExceptOnCreate"}
    for name, policy in {**kept, "Database": "Snapshot"}.items():
        resource = resources.all[name]
        assert resource["DeletionPolicy"] == policy
        assert resource["UpdateReplacePolicy"] == policy.removesuffix("ExceptOnCreate")
    table = resources.properties("MessagesTable")
    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["SSESpecification"]["SSEEnabled"] is True
    database = resources.properties("Database")
    assert database["DeletionProtection"] == "true"
    assert database["StorageEncrypted"] is database["EnableIAMDatabaseAuthentication"] is True
    assert database["PubliclyAccessible"] == "false"
    assert resources.properties("UserPool")["DeletionProtection"] == "ACTIVE"
    assert set(retained_template()["Resources"]) == set(kept)


def test_a_first_deployment_can_take_back_all_that_it_made(resources: Resources) -> None:
    """Nothing is protected until a deployment has succeeded and somebody asks for it."""
    assert resources.properties("MessagesTable")["DeletionProtectionEnabled"] is False
    assert resources.properties("Database")["DeletionProtection"] == "false"
    assert resources.properties("UserPool")["DeletionProtection"] == "INACTIVE"
    assert not [n for n, r in resources.all.items() if r.get("DeletionPolicy") == "Retain"]


def test_the_smallest_account_and_instance_are_enough(resources: Resources) -> None:
    database = resources.properties("Database")
    assert database["DBInstanceClass"] == "db.t4g.micro"
    assert int(database["BackupRetentionPeriod"]) == 1
    limits, of_connections = (
        stage["DefaultRouteSettings"] for stage in resources.of("AWS::ApiGatewayV2::Stage").values()
    )
    assert limits == of_connections
    # What comes in the second that a function takes to start; each wants its own connection.
    at_once = int(limits["ThrottlingBurstLimit"]) + int(limits["ThrottlingRateLimit"])
    connections = 80
    assert at_once <= connections * 4 / 5  # docs/deploy.md, "How much at once"
    alarm = resources.properties("DatabaseConnectionsAlarm")
    assert at_once < alarm["Threshold"] < connections
    told = re.search(r"the limits are (\d+) and (\d+)", DEPLOYING)
    assert told
    assert [int(n) for n in told.groups()] == [
        int(limits["ThrottlingRateLimit"]),
        int(limits["ThrottlingBurstLimit"]),
    ]


def test_a_restored_database_keeps_the_size_of_its_snapshot(
    variants: dict[str, Resources],
) -> None:
    no_value = {"Ref": "AWS::NoValue"}
    assert variants["restored"].properties("Database")["AllocatedStorage"] == no_value
    assert variants["new"].properties("Database")["AllocatedStorage"] == "20"


def test_nothing_is_charged_when_the_time_of_the_databases_version_is_over(
    resources: Resources,
) -> None:
    support = resources.properties("Database")["EngineLifecycleSupport"]
    assert support == "open-source-rds-extended-support-disabled"


def test_a_public_database_waits_for_the_way_in(variants: dict[str, Resources]) -> None:
    resources = variants["public"]
    assert "InternetGatewayOfVpc" in _named(resources.all, resources.properties("Database"))
    assert variants["new"].properties("Database")["Tags"] == {"Ref": "AWS::NoValue"}


def test_every_region_that_is_served_has_its_certificates() -> None:
    (assertion,) = read(ROOT / "template.yaml")["Rules"]["DatabaseCanProveWhoItIs"]["Assertions"]
    regions, region = assertion["Assert"]["Fn::Contains"]
    assert region == {"Ref": "AWS::Region"}
    files = {path.stem: path for path in RDS_CERTIFICATES.iterdir()}
    assert set(files) == set(regions)
    for name, path in files.items():
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
        names = " ".join(certificate.subject.rfc4514_string() for certificate in certificates)
        roots = sorted(re.findall(r"Amazon RDS ([a-z0-9-]+) Root CA (\w+) G1", names))
        assert roots == [(name, key) for key in ("ECC384", "RSA2048", "RSA4096")]


def test_nobody_signs_in_with_a_plain_password_unless_a_stage_says_so() -> None:
    def flows(**parameters: str) -> set[str]:
        stack = _with_pool(read_stack(parameters=parameters))
        _, client = stack.the_one("AWS::Cognito::UserPoolClient")
        return set(client["ExplicitAuthFlows"])

    assert "ALLOW_USER_PASSWORD_AUTH" not in flows()
    assert flows(PasswordSignIn="true") == flows() | {"ALLOW_USER_PASSWORD_AUTH"}


def test_a_token_of_who_has_signed_out_is_good_for_half_an_hour_at_most(
    resources: Resources,
) -> None:
    client = resources.properties("UserPoolClient")
    assert client["TokenValidityUnits"] == {
        "AccessToken": "minutes",
        "IdToken": "minutes",
        "RefreshToken": "days",
    }
    assert client["AccessTokenValidity"] == client["IdTokenValidity"] == 30
    assert client["RefreshTokenValidity"] == 30
    # A refresh token is refused as soon as its owner has signed out.
    assert client["EnableTokenRevocation"] is True


def test_a_password_has_to_be_long_and_nothing_else(resources: Resources) -> None:
    policy = resources.properties("UserPool")["Policies"]["PasswordPolicy"]
    assert policy["MinimumLength"] == 12
    assert not [rule for rule, asked in policy.items() if rule.startswith("Require") and asked]


def test_sign_in_does_not_tell_who_has_an_account(resources: Resources) -> None:
    client = resources.properties("UserPoolClient")
    assert client["PreventUserExistenceErrors"] == "ENABLED"


def test_no_web_page_may_call_the_api_unless_a_stage_says_so(resources: Resources) -> None:
    cors = resources.stack.cors()
    assert cors["allowOrigins"] == ["https://none.invalid"]


def test_what_was_built_for_another_architecture_fails_with_the_schema() -> None:
    """Before any function that answers requests is changed: those wait for it."""
    for architecture in ("x86_64", "arm64"):
        resources = Resources(read_stack(parameters={"Architecture": architecture}))
        assert resources.properties("Schema")["Architecture"] == architecture
        for function in resources.functions().values():
            assert function["Architectures"] == [architecture]


def test_new_code_never_meets_an_old_schema(resources: Resources) -> None:
    """A function that reads the directory is made, or changed, once the schema is loaded."""
    graph = {name: set(_named(resources.all, resource)) for name, resource in resources.all.items()}
    readers = {
        name
        for name, function in resources.functions().items()
        if any(layer["Ref"].startswith("DirectoryLayer") for layer in function["Layers"])
    }
    for name in readers - {"AdministerDirectory"}:
        assert "Schema" in behind(graph, name), name
    assert "Schema" not in behind(graph, "AdministerDirectory")


def behind(graph: dict[str, set[str]], name: str) -> set[str]:
    """All that a resource waits for."""
    return graph[name].union(*(behind(graph, other) for other in graph[name] - {name}))


def test_provisioned_throughput_is_five_units(variants: dict[str, Resources]) -> None:
    table = variants["provisioned"].properties("MessagesTable")
    five = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    throughput = [index["ProvisionedThroughput"] for index in table["GlobalSecondaryIndexes"]]
    assert [table["ProvisionedThroughput"], *throughput] == [five, five, five]


@pytest.mark.parametrize(("variant", "projection"), [("new", "KEYS_ONLY"), ("former index", "ALL")])
def test_the_index_of_rows_can_stay_as_an_older_stack_has_it(
    variants: dict[str, Resources], variant: str, projection: str
) -> None:
    rows, lists = indexes(variants[variant])
    assert (rows["IndexName"], lists["IndexName"]) == (keys.ROWS_INDEX, keys.LIST_INDEX)
    assert rows["Projection"] == {"ProjectionType": projection}
    # A member's list is read from the index alone.
    assert lists["Projection"] == {"ProjectionType": "ALL"}


def test_the_index_of_rows_can_be_left_out_to_be_made_anew(
    variants: dict[str, Resources],
) -> None:
    (index,) = indexes(variants["without that index"])
    assert index["IndexName"] == keys.LIST_INDEX
    table = variants["without that index"].properties("MessagesTable")
    # DynamoDB refuses attributes that no key has.
    named = {a["AttributeName"] for a in table["AttributeDefinitions"] if "AttributeName" in a}
    in_keys = {k["AttributeName"] for k in (*table["KeySchema"], *index["KeySchema"])}
    assert named == in_keys


def indexes(resources: Resources) -> list[dict[str, Any]]:
    found = resources.properties("MessagesTable")["GlobalSecondaryIndexes"]
    return [index for index in found if index != {"Ref": "AWS::NoValue"}]


def test_functions_change_after_the_table_so_that_they_find_its_indexes(
    resources: Resources,
) -> None:
    """CloudFormation goes on to what refers to a table when its new index is filled."""
    for name, function in resources.functions().items():
        (role,) = set(_named(resources.all, function["Role"]))
        if TABLE_ARN in [s.get("Resource") for n, s in resources.statements() if n == role]:
            assert "MessagesTable" in _named(resources.all, resources.all[role]), name


# --- the web client


@pytest.fixture(scope="module")
def web(variants: dict[str, Resources]) -> Resources:
    return variants["web client"]


def test_no_web_client_is_served_unless_a_stage_says_so(variants: dict[str, Resources]) -> None:
    for variant, resources in variants.items():
        kinds = {resource["Type"].split("::")[1] for resource in resources.all.values()}
        assert kinds.isdisjoint({"CloudFront", "S3"}) == (variant != "web client")


def test_cloudfront_sends_the_headers_that_the_local_cloud_sends(web: Resources) -> None:
    stack = _with_pool(web.stack)
    _, properties = stack.the_one("AWS::CloudFront::ResponseHeadersPolicy")
    policy = properties["ResponseHeadersPolicyConfig"]
    security = policy["SecurityHeadersConfig"]
    custom = policy["CustomHeadersConfig"]["Items"]
    assert all(header["Override"] is True for header in (*security.values(), *custom))
    sent = {header["Header"]: header["Value"] for header in custom} | {
        "Content-Security-Policy": security["ContentSecurityPolicy"]["ContentSecurityPolicy"],
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        "X-Frame-Options": security["FrameOptions"]["FrameOption"],
    }
    if "ContentTypeOptions" in security:  # it has one value, which is not said
        sent["X-Content-Type-Options"] = "nosniff"
    assert sent == Site.from_outputs(stack.outputs()).headers()
    # For what only makes sense with TLS.
    assert security["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 365 * 24 * 3600


def test_nobody_reads_the_bucket_but_the_distribution(web: Resources) -> None:
    bucket = web.properties("WebBucket")
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    statements = web.properties("WebBucketPolicy")["PolicyDocument"]["Statement"]
    (statement,) = [each for each in statements if each["Effect"] == "Allow"]
    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert statement["Action"] == ["s3:GetObject", "s3:ListBucket"]
    (source,) = statement["Condition"]["StringEquals"].values()
    assert source["Fn::Sub"].endswith(":distribution/${WebDistribution}")


def test_the_bucket_refuses_whoever_comes_without_tls(web: Resources) -> None:
    statements = web.properties("WebBucketPolicy")["PolicyDocument"]["Statement"]
    (refusal,) = [each for each in statements if each["Effect"] == "Deny"]
    assert (refusal["Principal"], refusal["Action"]) == ("*", "s3:*")
    assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(refusal["Resource"]) == 2  # the bucket, and what is in it


def test_the_api_behind_the_distribution_is_neither_cached_nor_cut(web: Resources) -> None:
    distribution = web.properties("WebDistribution")["DistributionConfig"]
    (api,) = distribution["CacheBehaviors"]
    assert all(route.path.startswith("/api/") for route in _with_pool(web.stack).routes())
    assert api["PathPattern"] == "/api/*"
    methods = {route.method for route in _with_pool(web.stack).routes()}
    assert methods <= set(api["AllowedMethods"])
    # AWS's policies CachingDisabled and AllViewerExceptHostHeader: the token goes through.
    assert api["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert api["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    files = distribution["DefaultCacheBehavior"]
    assert files["AllowedMethods"] == ["GET", "HEAD"]
    targets = {behaviour["TargetOriginId"] for behaviour in (api, files)}
    assert targets == {origin["Id"] for origin in distribution["Origins"]}
    assert {b["ViewerProtocolPolicy"] for b in (api, files)} == {"https-only", "redirect-to-https"}


# --- operations


def test_every_alarm_tells_the_topic_and_is_in_the_runbook(resources: Resources) -> None:
    alarms = resources.of("AWS::CloudWatch::Alarm")
    assert len(alarms) >= 8
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert re.search(rf"^## {name}$", RUNBOOK, re.MULTILINE), name
    assert set(re.findall(r"^## (\w+Alarm)$", RUNBOOK, re.MULTILINE)) == set(alarms)
    # Who is woken by one looks there first.
    first = RUNBOOK.partition("\n## What to do first\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"\w+Alarm\b", first)) == sorted(alarms)


def test_every_function_that_fails_is_noticed(resources: Resources) -> None:
    """By the API's 5xx, by an alarm of its own, or by whoever deploys or operates."""
    behind_api = {route.function for route in _with_pool(resources.stack).routes()}
    alarmed = {
        dimension["Value"]["Ref"]
        for alarm in resources.of("AWS::CloudWatch::Alarm").values()
        for dimension in alarm.get("Dimensions", [])
        if alarm["MetricName"] == "Errors"
    }
    noticed = behind_api | alarmed | {"CheckSignUp", "AdministerDirectory", "ProvideSchema"}
    # What these cannot do is raised, and so counted among the crashes; clients go on without.
    hinting = OUTSIDE - {"ProvideSchema"}
    assert noticed | hinting == set(resources.functions())
    # Of all of them: what the runtime writes of a crash and of running out of time.
    watched = {
        f["FilterPattern"]: f["LogGroupName"]
        for f in resources.of("AWS::Logs::MetricFilter").values()
    }
    for written in ('"Task timed out"', '"[ERROR]"'):
        assert [g for p, g in watched.items() if p.startswith(written)] == [{"Ref": "Logs"}]


def test_no_function_in_the_network_is_left_alone_for_weeks(resources: Resources) -> None:
    """What a stream calls, the stream calls again until it is there."""
    rules = resources.of("AWS::Events::Rule").values()
    assert {rule["ScheduleExpression"] for rule in rules} == {"rate(1 day)"}
    pinged = {target["Arn"]["Fn::GetAtt"][0] for rule in rules for target in rule["Targets"]}
    mapped = {
        mapping["FunctionName"]["Ref"]
        for mapping in resources.of("AWS::Lambda::EventSourceMapping").values()
    }
    in_network = {n for n, f in resources.functions().items() if f["VpcConfig"]["SubnetIds"]}
    assert pinged == in_network - mapped


def _with_pool(stack: Stack) -> Stack:
    return stack.with_created("UserPool", Ref="pool").with_created("UserPoolClient", Ref="client")


def _metrics_of_dashboard(body: str) -> list[Any]:
    widgets = json.loads(body)["widgets"]
    return [metric for widget in widgets for metric in widget["properties"]["metrics"]]


def test_metrics_are_named_as_the_functions_emit_them(resources: Resources) -> None:
    """Powertools writes them with one dimension, `service`."""
    emitted = {*Report().counts(), "GroupLag", *hints.Report().counts(), "HintLag"}
    shared = resources.functions()["UpdateMessageGroups"]["Environment"]["Variables"]
    assert shared["POWERTOOLS_METRICS_NAMESPACE"] == "CruddurMessages"
    service = shared["POWERTOOLS_SERVICE_NAME"]
    watched = {
        alarm["MetricName"]: alarm["Dimensions"]
        for alarm in resources.of("AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "CruddurMessages" and "Dimensions" in alarm
    }
    assert watched.keys() == {"RecordsParked", "HintLag"}
    assert watched.keys() <= emitted
    assert all(each == [{"Name": "service", "Value": service}] for each in watched.values())
    body, _ = resources.properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    metrics = _metrics_of_dashboard(body)
    ours = {m[1] for m in metrics if m[0] == "CruddurMessages" and m[2:3] == ["service"]}
    assert ours
    assert ours <= emitted
    assert f'"service", "${{{service["Ref"]}}}"' in body


def test_late_hints_raise_an_alarm_before_they_are_dropped(resources: Resources) -> None:
    """What is dropped has no lag, and no other metric either."""
    (dropped_after,) = (
        mapping["MaximumRecordAgeInSeconds"]
        for mapping in resources.of("AWS::Lambda::EventSourceMapping").values()
        if mapping["FunctionName"]["Ref"] == "SendHints"
    )
    assert resources.properties("HintLagAlarm")["Threshold"] < dropped_after * 1000


def test_the_dashboard_shows_every_function(resources: Resources) -> None:
    """By its name, for another stage's name may begin with this one's."""
    body, names = resources.properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    _, functions = names["Functions"]["Fn::Join"]
    assert sorted(name["Ref"] for name in functions) == sorted(resources.functions())
    metrics = _metrics_of_dashboard(body)
    searches = [m[0]["expression"] for m in metrics if isinstance(m[0], dict)]
    assert searches
    assert all('FunctionName=("${Functions}")' in search for search in searches)
    assert not [search for search in searches if "StackName" in search]


def test_alarms_and_dashboard_show_this_stack_and_no_other(resources: Resources) -> None:
    """Each metric names the stack or a resource of it, alone; another stage has its own."""
    document = resources.stack.document["Resources"]

    def is_this_stacks(value: Any) -> bool:
        references = set(re.findall(r"\$\{([\w:]+)", json.dumps(value)))
        if isinstance(value, dict):
            references |= {str(listed(name)[0]) for name in value.values()}
        return bool(references & {"AWS::StackName", *document})

    for name, alarm in resources.of("AWS::CloudWatch::Alarm").items():
        named = [*(d["Value"] for d in alarm.get("Dimensions", [])), alarm["MetricName"]]
        # What is shared, and has run out, is the account's.
        assert any(is_this_stacks(value) for value in named) == (name != "ThrottlesAlarm"), name
    body, _ = resources.properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    for metric in _metrics_of_dashboard(body):
        is_search = isinstance(metric[0], dict)
        assert "${Functions}" in json.dumps(metric) if is_search else is_this_stacks(metric)


def test_what_is_told_to_cost_is_what_the_template_has(resources: Resources) -> None:
    alarms = len(resources.of("AWS::CloudWatch::Alarm"))
    dashboards = len(resources.of("AWS::CloudWatch::Dashboard"))
    # Of one stack: what the stream's function emits, and the crashes of all functions.
    of_hints = {*hints.Report().counts(), "HintLag"}
    metrics = len({*Report().counts(), "GroupLag", "Crashes", *of_hints})
    price = alarms * 0.10 + dashboards * 3.00 + metrics * 0.30
    line = f"| {alarms} alarms, {dashboards} dashboard, {metrics} metrics | {price:.2f} |"
    assert line in DEPLOYING


def test_the_function_emits_its_metrics_with_that_dimension(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(repository, "of_environment", MemoryRepository)
    update_message_groups.lambda_handler({"Records": []}, Context())
    (directive,) = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["service"]]
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == dict.fromkeys(
        Report().counts(), "Count"
    )


def test_a_refused_sign_up_is_no_failure(resources: Resources) -> None:
    patterns = [f["FilterPattern"] for f in resources.of("AWS::Logs::MetricFilter").values()]
    assert f'"[ERROR]" -"[ERROR] {SignUpError.__name__}"' in patterns
    metrics = {
        json.dumps(t["MetricName"])
        for f in resources.of("AWS::Logs::MetricFilter").values()
        for t in f["MetricTransformations"]
    }
    assert metrics == {json.dumps(resources.properties("CrashesAlarm")["MetricName"])}


def test_items_that_cannot_be_read_are_counted(resources: Resources) -> None:
    """tests/integration/test_unreadable_items.py has the line; the other is that of any error."""
    found = resources.properties("UnreadableItems")
    assert found["FilterPattern"] == (
        f'{{ ($.message = "unreadable item") || ($.error = "{UnreadableItemError.__name__}") }}'
    )


def test_access_logs_are_json_and_hold_no_header(resources: Resources) -> None:
    stage = resources.properties("ApiApiGatewayDefaultStage")
    layout = json.loads(stage["AccessLogSettings"]["Format"])
    assert all(value.startswith("$context.") for value in layout.values())
    assert "\n" not in stage["AccessLogSettings"]["Format"]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"]
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"]


def test_nothing_logs_an_url_with_a_ticket_in_it(resources: Resources) -> None:
    """What a stage writes of the execution of a request, and Powertools of an event, has both."""
    stages = resources.of("AWS::ApiGatewayV2::Stage")
    assert len(stages) == 2
    for stage in stages.values():
        settings = [stage["DefaultRouteSettings"], *stage.get("RouteSettings", {}).values()]
        assert not any({"LoggingLevel", "DataTraceEnabled"} & each.keys() for each in settings)
    for function in resources.functions().values():
        assert "POWERTOOLS_LOGGER_LOG_EVENT" not in function["Environment"]["Variables"]
        assert "POWERTOOLS_DEV" not in function["Environment"]["Variables"]


# --- the file


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_waits_for_itself(variants: dict[str, Resources], variant: str) -> None:
    resources = variants[variant].all
    graph = {
        name: set(_named(resources, resource)) - {name} for name, resource in resources.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError
    assert any(graph.values())


def _named(resources: dict[str, Any], value: Any) -> Iterator[str]:
    """The resources that `value` refers to."""
    if isinstance(value, dict):
        names: list[str] = []
        for key, item in value.items():
            if key in ("Ref", "DependsOn"):
                names += listed(item)
            elif key == "Fn::GetAtt":
                names.append(item[0] if isinstance(item, list) else item.split(".")[0])
            elif key == "Fn::Sub":
                text = item[0] if isinstance(item, list) else item
                names += re.findall(r"\$\{(\w+)", text)
            if not isinstance(item, str):
                yield from _named(resources, item)
        yield from (name for name in names if name in resources)
    elif isinstance(value, list):
        for item in value:
            yield from _named(resources, item)


def test_every_skipped_check_has_its_reason(resources: Resources) -> None:
    for name, resource in resources.all.items():
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert len(skip["comment"]) > 10, name
    lines = (ROOT / ".checkov.yaml").read_text().splitlines()
    skipped = [number for number, line in enumerate(lines) if line.startswith("  - ")]
    assert skipped
    for number in skipped:
        assert lines[number - 1].startswith("  # "), lines[number]
