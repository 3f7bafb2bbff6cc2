"""boto3's types of attributes, where these would refuse what DynamoDB holds.

boto3 calculates with 38 digits, and DynamoDB spells 1E+125 with all its zeros. In the event of a
stream, binary values are texts in base64; and boto3's class for them fails where it is printed.
`attributes` says when this module is imported.
"""

import base64
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer


class Serializer(TypeSerializer):
    """Writes numbers with all their digits."""

    def _serialize_n(self, value: Any) -> str:
        return str(value)


class Deserializer(TypeDeserializer):
    """Reads numbers with all their digits, and binary values from a table and from its stream."""

    def _deserialize_n(self, value: str) -> Decimal:
        return Decimal(value)

    def _deserialize_b(self, value: Any) -> bytes:
        return base64.b64decode(value) if isinstance(value, str) else bytes(value)
