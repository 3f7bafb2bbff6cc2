"""Who may read a message group, write to it and mark it: who is in its MEMBERS, and nobody else."""

from cachetools import LRUCache

from messaging import keys
from messaging.entities import Members
from messaging.errors import MessageGroupNotFoundError
from messaging.repository import Repository
from runtime import environment
from runtime.user import User


def require(repository: Repository, message_group_uuid: str, user: User) -> Members:
    """Return the members of a group that the user is in.

    Raises MessageGroupNotFoundError when there is no such group, or the user is not in it.
    """
    try:
        group = keys.canonical_uuid(message_group_uuid)
    except ValueError:
        raise MessageGroupNotFoundError from None
    return _members(repository, group, user.uuid)


# Who is a member stays one, so each member is remembered. Who is refused is not, even where a
# member of the group is: every refusal takes one read, so that the time it takes does not tell
# whether the group exists.
@environment.cached(
    lambda: LRUCache(maxsize=1024), key=lambda _, group, user_uuid: (group, user_uuid)
)
def _members(repository: Repository, group: str, user_uuid: str) -> Members:
    members = repository.get_members(group)
    if members is None or user_uuid not in members.member_uuids:
        raise MessageGroupNotFoundError
    return members
