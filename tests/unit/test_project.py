"""Rules about the project itself: one list of everything, and names that agree."""

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from http import HTTPStatus
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from administration import schema
from local.settings import Settings
from messaging import keys
from runtime import errors
from tests.fakes.template import Stack, read_stack

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
}
API = DOCUMENTS["docs/api.md"]
TEMPLATE = (ROOT / "template.yaml").read_text()

PREFIXES = {
    keys.MESSAGE_PREFIX,
    keys.MESSAGE_GROUP_PREFIX,
    keys.MEMBERS_PREFIX,
    keys.PAIR_PREFIX,
    keys.SENT_PREFIX,
    keys.USER_PREFIX,
    keys.TICKET_PREFIX,
    keys.CONNECTIONS_PREFIX,
    keys.CONNECTION_PREFIX,
}


@pytest.fixture(scope="module")
def stack() -> Stack:
    return (
        read_stack(parameters={"DatabaseUrl": "postgresql://somewhere/cruddur"})
        .with_created("UserPool", Ref="pool")
        .with_created("UserPoolClient", Ref="client")
        .with_created("FailedRecordsQueue", Ref="queue", Arn="queue")
        .with_created(
            "MessagesTable", Ref="table", StreamArn="arn:aws:dynamodb:stream", Arn="table"
        )
    )


def apps() -> Iterator[tuple[str, Any]]:
    for path in sorted((ROOT / "functions").glob("*/app.py")):
        yield path.parent.name, importlib.import_module(f"functions.{path.parent.name}.app")


def test_every_function_folder_is_in_the_template_and_the_other_way_round(stack: Stack) -> None:
    folders = [name for name, _ in apps()]
    assert sorted(function.code.name for function in stack.functions().values()) == folders
    for function in stack.functions().values():
        module, _, name = function.handler.partition(".")
        assert (function.code / f"{module}.py").exists()
        assert name == "lambda_handler"


def test_every_handler_says_what_it_is_for() -> None:
    for name, app in apps():
        assert app.__doc__, name
        if name != "provide_schema":  # speaks CloudFormation's protocol itself
            assert len(inspect.getsource(app).splitlines()) <= 45, name


def test_routes_in_the_handlers_are_the_routes_in_the_template(stack: Stack) -> None:
    in_handlers = {
        (name, *module.lambda_handler.route.split(" "))
        for name, module in apps()
        if hasattr(module.lambda_handler, "route")
    }
    code = {name: function.code.name for name, function in stack.functions().items()}
    in_template = {(code[route.function], route.method, route.path) for route in stack.routes()}
    assert in_handlers == in_template
    on_connections = {
        module.lambda_handler.web_socket_route: name
        for name, module in apps()
        if hasattr(module.lambda_handler, "web_socket_route")
    }
    web_socket = stack.web_socket()
    assert web_socket
    assert on_connections == {key: code[name] for key, name in web_socket.routes.items()}


def test_every_route_has_the_authorizer(stack: Stack) -> None:
    assert {route.authorizer for route in stack.routes()} == {"CognitoJwt"}


def test_only_functions_that_need_postgres_carry_the_directory(stack: Stack) -> None:
    for function in stack.functions().values():
        imports = imported(function.code / "app.py")
        uses_postgres = any(module.split(".")[0] == "directory" for module in imports)
        layers = {layer.name for layer in function.layers}
        assert layers == {"messaging"} | ({"directory"} if uses_postgres else set())


# They have more, for the partitions that a new group is written to, the list's index, and a message
# that is looked up for a mark. If another needs more than fifteen, name it here and say why.
LONGER = {"CreateMessageGroup", "CreateMessage", "ListMessageGroups", "MarkMessageGroup"}


def test_a_function_and_its_route_cost_fifteen_lines_of_the_template(stack: Stack) -> None:
    blocks = dict(re.findall(r"^(  \w+):\n((?:    .*\n)+)", TEMPLATE, re.MULTILINE))
    lines = {
        route.function: 1 + len(blocks[f"  {route.function}"].splitlines())
        for route in stack.routes()
    }
    assert {function for function, count in lines.items() if count > 15} == LONGER
    assert max(lines.values()) <= 20


@pytest.mark.parametrize("name", ["template.yaml", "samconfig.toml"])
def test_files_that_the_template_and_its_settings_name_exist(name: str) -> None:
    """Also in comments and descriptions, which nothing else reads."""
    folders = "|".join(path.name for path in ROOT.glob("[!.]*/"))
    path = rf"(?<![\w./])(?:(?:{folders})/[\w./-]*\w|[\w./-]+\.md\b)"
    named = set(re.findall(path, (ROOT / name).read_text()))
    assert "docs/deploy.md" in named
    assert {path for path in named if not (ROOT / path).exists()} == set()


def imported(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


# Every package of this project: where it is, and which of the others it may import.
IN_LAYERS = {"runtime", "messaging", "directory"}
OF_OPERATORS = IN_LAYERS | {"administration", "seed"}
PACKAGES: dict[str, tuple[str, set[str]]] = {
    "runtime": ("layers/messaging", set()),
    "messaging": ("layers/messaging", {"runtime"}),
    "directory": ("layers/directory", {"runtime"}),
    "administration": ("functions/administer_directory", {"directory", "runtime"}),
    "functions": (".", IN_LAYERS | {"administration"}),
    "seed": (".", {"runtime", "messaging", "administration"}),
    # For others: it knows the API alone.
    "cruddur_client": ("clients/python", set()),
    # Knows nothing of this project.
    "sam_offline": (".", set()),
    "commands": (".", OF_OPERATORS | {"sam_offline", "cruddur_client"}),
    "local": (".", OF_OPERATORS | {"commands", "sam_offline"}),
    # `make load` looks for what `tests` say that no log may hold.
    "bench": (
        ".",
        OF_OPERATORS | {"commands", "local", "sam_offline", "cruddur_client", "tests"},
    ),
    "tests": (
        ".",
        OF_OPERATORS | {"functions", "commands", "sam_offline", "local", "bench", "cruddur_client"},
    ),
}


def modules() -> dict[str, set[str]]:
    """Every module of these packages, and what it imports."""
    found = {}
    for package, (folder, _) in PACKAGES.items():
        for path in (ROOT / folder / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT / folder).with_suffix("").parts)
            if not name.startswith("functions.administer_directory.administration."):
                found[name.removesuffix(".__init__")] = imported(path)
    return found


def test_imports_point_one_way() -> None:
    graph = modules()
    for name, imports in graph.items():
        package, _, _ = name.partition(".")
        _, allowed = PACKAGES[package]
        beyond = {module.partition(".")[0] for module in imports} - {package}
        assert beyond & PACKAGES.keys() <= allowed, name
    ours = {name: imports & graph.keys() - {name} for name, imports in graph.items()}
    order = list(TopologicalSorter(ours).static_order())
    assert set(order) == set(graph)


def test_items_know_neither_aws_nor_http() -> None:
    graph = modules()
    reached, left = set[str](), {"messaging.keys", "messaging.entities"}
    while left:
        module = left.pop()
        reached.add(module)
        left |= graph.get(module, set()) - reached
    assert "runtime.user" in reached
    assert not {m for m in reached if m.startswith(("boto", "aws_lambda_powertools"))}


def test_packages_stand_where_these_rules_look_for_them() -> None:
    inside = {
        path.parent
        for folder in ("layers", "functions", "clients")
        for path in (ROOT / folder).rglob("__init__.py")
    }
    beside = {path for path in ROOT.glob("[!.]*/") if any(path.glob("*.py"))}
    homes = {ROOT / folder / name for name, (folder, _) in PACKAGES.items()}
    assert inside | beside == homes - {ROOT / "functions"}


def test_no_key_is_spelled_outside_keys() -> None:
    for folder in ("layers", "functions", "seed", "commands", "local"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name == "keys.py":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    is_docstring = "\n" in node.value or node.value.endswith(".")
                    assert is_docstring or not node.value.startswith(tuple(PREFIXES)), path


def test_keys_in_the_template_are_the_keys_in_the_code(stack: Stack) -> None:
    spelled = set(re.findall(r'"([A-Z]+#)\*?"', TEMPLATE))
    assert spelled == PREFIXES
    patterns = {
        mapping.function: [json.loads(pattern) for pattern in mapping.filters]
        for mapping in stack.stream_mappings()
    }
    new_message = {
        "eventName": ["INSERT"],
        "dynamodb": {
            "Keys": {"pk": {"S": [{"prefix": keys.MESSAGE_PREFIX}]}},
            "NewImage": {"first": {"BOOL": [{"exists": False}]}},
        },
    }
    row = {
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {"Keys": {"pk": {"S": [{"prefix": keys.MESSAGE_GROUP_PREFIX}]}}},
    }
    assert patterns == {"UpdateMessageGroups": [new_message], "SendHints": [row]}


def test_the_schema_is_loaded_again_when_there_is_a_new_migration(stack: Stack) -> None:
    ((_, properties),) = stack.resources("Custom::Schema")
    assert properties["Version"] == list(schema.migrations())[-1]


def request_errors(kind: type[errors.RequestError] = errors.RequestError) -> Iterator[Any]:
    for error in kind.__subclasses__():
        yield error
        yield from request_errors(error)


def test_every_request_error_has_a_status_and_a_code_of_its_own() -> None:
    found = list(request_errors())
    assert all(isinstance(error.status, HTTPStatus) for error in found)
    codes = [error.code for error in found if hasattr(error, "code")]
    assert len(set(codes)) == len(codes) == len(found) - 2  # a body's and a query's rules


def codes() -> set[str]:
    """Every code that a client can get, from the source: what errors have and are raised with."""
    sources = [*(ROOT / "layers").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    found = set()
    for node in (node for path in sources for node in ast.walk(ast.parse(path.read_text()))):
        match node:
            case ast.ClassDef(body=body, name=name) if name.endswith("Error"):
                found |= {
                    code
                    for statement in body
                    if isinstance(statement, ast.Assign) and named(statement.targets[0]) == "code"
                    for code in texts(statement.value)
                }
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="codes"), attr="append" | "insert"), args=args
            ):
                found |= {code for argument in args for code in texts(argument)}
            case ast.Call(func=function, args=args) if named(function) in RAISED_WITH_CODES:
                found |= {code for argument in args for code in texts(argument)}
    return found


# `_problem` answers without an error; Cognito shows the text of a SignUpError.
RAISED_WITH_CODES = {"BadRequestError", "InvalidRequestError", "SignUpError", "_problem"}


def named(node: ast.AST) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")


def texts(node: ast.AST) -> set[str]:
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def section(document: str, title: str) -> str:
    """What a document says under a heading."""
    _, _, rest = document.partition(f"\n## {title}\n")
    text, _, _ = rest.partition("\n## ")
    assert text, title
    return text


def documented_codes() -> set[str]:
    """The codes in the document of the API: in the table of errors, and of signing up."""
    _, _, refused = section(API, "Signing up").partition("A sign-up is refused with")
    refused, _, _ = refused.partition("\n\n")
    errors = section(API, "Errors").splitlines()
    rows = [line.partition(" | ")[2] for line in errors if line.startswith("| ")]
    return set(re.findall(r"`([a-z0-9]+_[a-z0-9_]+|unauthorized)`", "".join([*rows, refused])))


def test_the_api_document_explains_every_error_code_and_no_other() -> None:
    found = codes()
    assert found == documented_codes()
    own = {error.code for error in request_errors() if hasattr(error, "code")}
    assert own < found
    assert {"internal_server_error", "message_blank", "body_not_json", "handle_taken"} < found


def test_the_api_document_shows_every_route_and_no_other(stack: Stack) -> None:
    shown = re.findall(r"^\| ([A-Z]+ /\S+) \|", section(API, "Routes"), re.MULTILINE)
    assert sorted(shown) == sorted(f"{route.method} {route.path}" for route in stack.routes())


def test_the_documents_list_every_command_and_no_other() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "".join(DOCUMENTS.values())
    assert set(re.findall(r"`make\s([a-z]+)[`\s]", text)) == targets
    scripts = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "bin").rglob("*")
        if path.is_file() and "-m commands.cli" in path.read_text()
    }
    listed = re.findall(r"^\| `(bin/\S+)` \|", DOCUMENTS["docs/operating.md"], re.MULTILINE)
    assert sorted(listed) == sorted(scripts)


def test_the_document_of_the_local_cloud_has_the_variables_that_it_reads() -> None:
    rows = re.findall(
        r"^\| (`[A-Z].*?`) \|", section(DOCUMENTS["docs/local.md"], "Variables"), re.MULTILINE
    )
    read = []

    class Environment(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            read.append(name)
            return default

    Settings(Environment())
    assert sorted(re.findall(r"[A-Z_]+", "".join(rows))) == sorted(read)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_links_to_files_and_headings_that_exist(name: str) -> None:
    text = re.sub(r"```.*?```", "", DOCUMENTS[name], flags=re.DOTALL)
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        path = ((ROOT / name).parent / target) if target else ROOT / name
        assert path.exists(), target
        if heading:
            assert heading in headings(path.read_text()), (target, heading)


def test_the_runbook_has_every_reason_for_which_a_group_is_parked() -> None:
    calls = [
        node
        for name in ("calls", "moves", "repository", "stream")
        for node in ast.walk(
            ast.parse((ROOT / f"layers/messaging/messaging/{name}.py").read_text())
        )
        if isinstance(node, ast.Call) and named(node.func) == "UnreadableItemError"
    ]
    reasons = {text for call in calls for argument in call.args for text in texts(argument)}
    assert reasons
    known = " ".join(section(DOCUMENTS["docs/runbook.md"], "ParkedRecordsAlarm").split())
    assert {reason for reason in reasons if reason not in known} == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_heading_stands_alone(name: str) -> None:
    text = re.sub(r"```.*?```", "", DOCUMENTS[name], flags=re.DOTALL)
    assert not re.findall(r"[^\n]\n#+ .+", text)
    assert not re.findall(r"^#+ .+\n(?!\n)", text, re.MULTILINE)


def test_a_decision_is_found_by_its_topic() -> None:
    contents, *topics = DOCUMENTS["docs/decisions.md"].split("\n## ")
    listed = re.findall(r"^- \[(.+)\]\(#", contents, re.MULTILINE)
    assert listed == [topic.partition("\n")[0] for topic in topics if "\n### " in topic]
    titles = re.findall(r"^### (.+)$", DOCUMENTS["docs/decisions.md"], re.MULTILINE)
    assert len(set(titles)) == len(titles)


def headings(text: str) -> set[str]:
    """The names that GitHub gives to a document's headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_document_can_be_found_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([^)#]+\.md)", DOCUMENTS["README.md"]))
    assert linked == set(DOCUMENTS) - {"README.md"}


def test_the_readme_is_read_in_a_minute() -> None:
    assert len(DOCUMENTS["README.md"].split()) <= 700


def test_what_make_run_installs_is_all_that_is_imported_there() -> None:
    """The tests run with more than that, and would not notice."""
    installed = set(re.findall(r"^([\w.-]+)==", (ROOT / "run.lock").read_text(), re.MULTILINE))
    distributions = packages_distributions()
    for folder in ("sam_offline", "local", "commands", "seed", "layers", "functions"):
        for path in (ROOT / folder).rglob("*.py"):
            for module in imported(path):
                names = {
                    name.lower().replace("_", "-")
                    for name in distributions.get(module.split(".")[0], [])
                }
                if names and not module.startswith("mypy_boto3"):  # types are not imported there
                    assert installed & names, (path, module)
