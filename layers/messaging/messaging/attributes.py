"""Items with DynamoDB's types for Python's, and back.

Whatever DynamoDB can hold can be read, and written again as it was: what others have added to an
item keeps nobody from it.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from messaging.entities import Item
from messaging.errors import UnreadableItemError


def to_dynamodb(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item with DynamoDB's types for Python's."""
    return {name: _typed(value) for name, value in item.items()}


def from_dynamodb(item: Mapping[str, Any]) -> Item:
    """Return an item, or the image in a stream record, with Python's types for DynamoDB's.

    Raises
    ------
    UnreadableItemError
        It is something else, which only somebody who makes up a record can give.
    """
    try:
        return {name: _untyped(value) for name, value in item.items()}
    except (AttributeError, TypeError, ValueError, ArithmeticError) as error:
        raise UnreadableItemError("no item of DynamoDB's") from error


# Nearly everything in an item is a string, and the rest of what requests read and write are lists
# of strings and flags. For these boto3 is no slower, but importing it takes a twelfth of a cold
# start; so it is only imported for what is none of them.
def _typed(value: Any) -> Any:
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case list():
            return {"L": [_typed(each) for each in value]}
    return _of_boto3().Serializer().serialize(value)


def _untyped(value: Any) -> Any:
    match value:
        case {"S": str(text)}:
            return text
        case {"BOOL": bool(flag)}:
            return flag
        case {"L": list(values)}:
            return [_untyped(each) for each in values]
    return _of_boto3().Deserializer().deserialize(value)


def _of_boto3() -> ModuleType:
    from messaging import exact_types  # noqa: PLC0415  # see above

    return exact_types
