"""Items as a table of the bootcamp's application has them: bare keys, any offset, nothing else."""

from messaging import keys
from messaging.entities import Item
from runtime.user import User

TEXT = "written by the other application"


def message_item(group: str, sk: str, sender: User, *, number: int = 1, text: str = TEXT) -> Item:
    return {
        "pk": keys.message_pk(group),
        "sk": sk,
        "message_uuid": f"00000000-0000-4000-9000-{number:012}",
        "message": text,
        "user_uuid": sender.uuid,
        "user_display_name": sender.display_name,
        "user_handle": sender.handle,
    }


def row_item(group: str, sk: str, owner: User, other: User, *, text: str = TEXT) -> Item:
    return {
        "pk": keys.message_group_pk(owner.uuid),
        "sk": sk,
        "message_group_uuid": group,
        "message": text,
        "user_uuid": other.uuid,
        "user_display_name": other.display_name,
        "user_handle": other.handle,
    }
