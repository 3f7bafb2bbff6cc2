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
    network = None if close else str(_network(address or _own_address()))
    ec2 = run.target.client("ec2")
    caller = run.target.client("sts").get_caller_identity()["Arn"]
    description = f"bin/rds/update-sg-rule {caller}"[:255]
    rules = _rules(ec2, group, description)
    old = [rule.get("CidrIpv4") or rule.get("CidrIpv6") for rule in rules]
    if [network] != old:
        run.confirm(
            f"This closes {group} to {old or 'nobody'}, and opens it to {network or 'nobody'}."
        )
        _revoke(ec2, group, rules)
        if network:
            _authorize(ec2, group, network, run.target.output("DatabaseAddress"), description)
    run.output.result(
        f"{group} is open to {network}." if network else f"{group} is closed.",
        group=group,
        open=[network] if network else [],
        closed=[each for each in old if each != network],
    )


def _network(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
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


def _revoke(ec2: Any, group: str, rules: list[Any]) -> None:
    if rules:
        ids = [rule["SecurityGroupRuleId"] for rule in rules]
        ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids)


def _authorize(ec2: Any, group: str, network: str, database: str, description: str) -> None:
    port = urlsplit(f"//{database}").port
    ranges = (
        {"Ipv6Ranges": [{"CidrIpv6": network, "Description": description}]}
        if ":" in network
        else {"IpRanges": [{"CidrIp": network, "Description": description}]}
    )
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **ranges}],
    )
