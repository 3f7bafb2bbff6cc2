"""A second `sam deploy`: protection, a changed layer and a new migration arrive."""

import base64

import pytest

from administration import schema
from tests.rehearse.stage import SECOND, TABLE, Stage

MIGRATION = "9999_rehearsal"


@pytest.fixture(scope="module", autouse=True)
def layers(stage: Stage) -> dict[str, list[str]]:
    """Change both layers and deploy again; what the functions' layers were before."""
    before = {name: _layers(stage, name) for name in stage.template.functions()}
    folder = stage.project.folder
    for layer in ("messaging", "directory"):
        package = folder / "layers" / layer / layer / "__init__.py"
        package.write_text(package.read_text() + '\nprint("the layer was changed")\n')
    migrations = folder / "functions/administer_directory/administration/migrations"
    (migrations / f"{MIGRATION}.sql").write_text("CREATE TABLE public.rehearsal ();\n")
    template = folder / "template.yaml"
    newest = list(schema.migrations())[-1]
    template.write_text(template.read_text().replace(newest, MIGRATION))
    stage.deploy(DeletionProtection="true")
    return before


def _layers(stage: Stage, name: str) -> list[str]:
    return [layer["Arn"] for layer in stage.function(name)["Layers"]]


def test_the_stack_is_updated(stage: Stage) -> None:
    assert stage.describe()["StackStatus"] == "UPDATE_COMPLETE"


def test_every_function_has_the_new_layers(stage: Stage, layers: dict[str, list[str]]) -> None:
    for name, before in layers.items():
        now = _layers(stage, name)
        assert len(now) == len(before)
        assert not set(now) & set(before), name


def test_the_functions_run_what_was_changed(stage: Stage) -> None:
    answer = stage.invoke("UpdateMessageGroups", {"Records": []})
    assert "the layer was changed" in base64.b64decode(answer["LogResult"]).decode()


def test_the_new_migration_was_applied(stage: Stage) -> None:
    assert stage.rows("SELECT name FROM public.schema_migrations ORDER BY name")[-1] == (MIGRATION,)


def test_table_and_pool_are_the_same(stage: Stage) -> None:
    rows = stage.gateway.get("/api/message_groups", by="grahams").body
    assert [row["message"] for row in rows] == [SECOND]


def test_deploying_nothing_new_is_no_failure(stage: Stage) -> None:
    stage.deploy()


def test_table_and_pool_are_protected_from_now_on(stage: Stage) -> None:
    assert stage.outputs["DeletionProtection"] == "true"
    table = stage.aws.client("dynamodb").describe_table(TableName=TABLE)["Table"]
    assert table["DeletionProtectionEnabled"] is True
    pool = stage.aws.client("cognito-idp").describe_user_pool(UserPoolId=stage.ids["UserPool"])
    assert pool["UserPool"]["DeletionProtection"] == "ACTIVE"
