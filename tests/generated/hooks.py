"""What schemathesis checks beside its own checks; it runs in its own environment."""

from typing import Any

from schemathesis import check

# Of rules that no schema says: what is visible, what was sent before, who asks, what time it is.
OF_NO_SCHEMA = {
    *("cursor_invalid", "message_blank", "message_invalid", "message_to_self"),
    *("message_group_uuid_blank", "user_reciever_handle_blank", "message_uuid_reused"),
    *("idempotency_key_differs", "read_up_to_in_future"),
}


@check  # type: ignore[untyped-decorator]  # not in the environment of mypy
def what_the_schema_allows_is_refused_for_another_reason(
    _context: Any, response: Any, case: Any
) -> None:
    """A request that is as the contract says can only break a rule that no schema can say."""
    if case.meta and case.meta.generation.mode.is_positive and response.status_code == 422:
        codes = set(response.json()["errors"])
        assert codes <= OF_NO_SCHEMA, (
            f"refused with {codes - OF_NO_SCHEMA}, which the schema allows"
        )


@check  # type: ignore[untyped-decorator]  # not in the environment of mypy
def a_method_that_is_not_there_is_no_route(_context: Any, response: Any, case: Any) -> None:
    """API Gateway answers a method of no route like a path of no route."""
    method = response.request.method
    if method not in {case.operation.method.upper(), "OPTIONS"}:
        assert (response.status_code, response.json()) == (404, {"message": "Not Found"})
