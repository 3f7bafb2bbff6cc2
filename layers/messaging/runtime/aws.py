"""The session of AWS's SDK, which has the credentials and makes the clients.

botocore, of which boto3 is made, is enough for that: boto3 would bring with it what downloads
files and what a function never asks for.
"""

from botocore.loaders import Loader
from botocore.session import Session, get_session

from runtime import environment


class _Descriptions(Loader):
    """botocore's descriptions of AWS's services.

    Before it reads one, it would look through the folders of all 400 services, to see whether
    there is one of that name.
    """

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002
        return ["apigatewaymanagementapi", "dynamodb"]


@environment.once
def session() -> Session:
    """Return the session of this environment, for clients of these services only."""
    made = get_session()
    made.register_component("data_loader", _Descriptions())
    return made
