"""``bin/rds/update-sg-rule``: lets one's own address reach a public development database."""

import ipaddress
from typing import Annotated, Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import typer

from commands.command import Run
from commands.db.sessions import require_public
from commands.errors import CommandError

_WHAT_IS_MY_ADDRESS = "https://checkip.amazonaws.com"
_SECONDS = 10


def update_sg_rule(
    run: Run,
    *,
    address: Annotated[
        str, typer.Option(help="The address to open it to; your own if not given.")
    ] = "",
    close: Annotated[bool, typer.Option("--close", help="Only remove your rule.")] = False,
) -> None:
    """Open the security group of a public database to one address, or close it again.

    It replaces an earlier rule of the same person and leaves other rules alone.
    """
    if close and address:
        raise typer.BadParameter("give one of --address and --close")
    if not run.target.on_aws:
        raise CommandError("The local database needs no rule: add --aws for the one on AWS.")
    group = require_public(run.target)
    network = None if close else _network(address or _own_address())
    ec2 = run.target.client("ec2")
    caller = run.target.client("sts").get_caller_identity()["Arn"]
    description = f"bin/rds/update-sg-rule {caller}"[:255]
    rules = _rules(ec2, group, description)
    old = [rule.get("CidrIpv4") or rule.get("CidrIpv6") for rule in rules]
    if [str(network)] == old:
        run.output.result(f"{group} is open to {network}.", group=group, open=old, closed=[])
        return
    run.confirm(f"This closes {group} to {old or 'nobody'}, and opens it to {network or 'nobody'}.")
    if rules:
        ids = [rule["SecurityGroupRuleId"] for rule in rules]
        ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids)
    if network:
        port = urlsplit(f"//{run.target.output('DatabaseAddress')}").port
        ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[_permission(network, port, description)]
        )
    opened = [str(network)] if network else []
    run.output.result(
        f"{group} is open to {network}." if network else f"{group} is closed.",
        group=group,
        open=opened,
        closed=old,
    )


type Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(address: str) -> Network:
    try:
        return ipaddress.ip_network(ipaddress.ip_address(address))
    except ValueError:
        raise typer.BadParameter(f"not an address: {address}") from None


def _own_address() -> str:
    try:
        with urlopen(_WHAT_IS_MY_ADDRESS, timeout=_SECONDS) as answer:
            return str(answer.read().decode().strip())
    except (URLError, TimeoutError) as error:
        raise CommandError(
            f"{_WHAT_IS_MY_ADDRESS} does not say what this machine's address is: give --address."
        ) from error


def _rules(ec2: Any, group: str, description: str) -> list[Any]:
    pages = ec2.get_paginator("describe_security_group_rules").paginate(
        Filters=[{"Name": "group-id", "Values": [group]}]
    )
    rules = [rule for page in pages for rule in page["SecurityGroupRules"]]
    return [
        rule for rule in rules if not rule["IsEgress"] and rule.get("Description") == description
    ]


def _permission(network: Network, port: int | None, description: str) -> dict[str, Any]:
    ranges = (
        {"IpRanges": [{"CidrIp": str(network), "Description": description}]}
        if network.version == 4  # noqa: PLR2004  # of IP
        else {"Ipv6Ranges": [{"CidrIpv6": str(network), "Description": description}]}
    )
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **ranges}
