"""A moto server whose EKS is that of ``tests.e2e.infra.eks``: ``python -m tests.e2e.infra.moto_eks PORT``.

moto's own EKS makes clusters and node groups and forgets half of what it was told; it has no add-ons, access
entries, Pod identities or upgrades, and refuses next to nothing. This one answers everything that Terraform
asks, remembers it, and refuses what AWS refuses (each module of ``eks`` says what). EC2, IAM, KMS, Logs, S3
and the others are moto's, with two corrections: a launch template keeps its own tags to itself, and a gateway
endpoint that gets a route table makes its route there.

For AWS's own IAM policies moto wants MOTO_IAM_LOAD_MANAGED_POLICIES=true in the environment. Port 0 is one
that is free; the first line of output is the URL.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.eks import urls
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from tests.e2e.infra.eks.routes import respond
from tests.e2e.infra.eks.state import State

ACCOUNT = "123456789012"  # moto's
_REGION = re.compile(r"Credential=[^/]+/\d+/([a-z0-9-]+)/eks/")


class MotoNeighbours:
    """The other services of a region, which moto plays."""

    def __init__(self, region: str) -> None:
        self._ec2 = ec2_backends[ACCOUNT][region]
        self._scaling = autoscaling_backends[ACCOUNT][region]
        self._kms = kms_backends[ACCOUNT][region]

    def subnet(self, subnet_id: str) -> tuple[str, str] | None:
        for by_id in self._ec2.subnets.values():
            if subnet_id in by_id:
                return str(by_id[subnet_id].availability_zone), str(by_id[subnet_id].vpc_id)
        return None

    def role_exists(self, arn: str) -> bool:
        return any(role.arn == arn for role in iam_backends[ACCOUNT]["aws"].roles.values())

    def make_security_group(self, cluster: str, vpc: str) -> str:
        tags = {"Name": f"eks-cluster-sg-{cluster}", f"kubernetes.io/cluster/{cluster}": "owned"}
        made = self._ec2.create_security_group(f"eks-cluster-sg-{cluster}", "Of EKS", vpc, tags)
        return str(made.id)

    def delete_security_group(self, group_id: str) -> None:
        self._ec2.delete_security_group(group_id=group_id)

    def template_keys(self, template_id: str) -> list[str] | None:
        template = self._ec2.launch_templates.get(template_id)
        if template is None:
            return None
        disks = template.latest_version().data.get("BlockDeviceMappings", [])
        return sorted({str(disk["Ebs"]["KmsKeyId"]) for disk in disks if disk.get("Ebs", {}).get("KmsKeyId")})

    def scaling_may_use(self, key: str) -> bool:
        return "AWSServiceRoleForAutoScaling" in self._kms.keys[key.rpartition("/")[2]].policy

    def make_scaling_group(self, name: str, template_id: str, subnets: list[str], most: int) -> None:
        self._scaling.create_auto_scaling_group(
            name=name,
            availability_zones=[],
            desired_capacity=0,  # nodes are not played, only their number
            max_size=most,
            min_size=0,
            launch_config_name="",
            launch_template={"LaunchTemplateId": template_id, "Version": "$Latest"},
            vpc_zone_identifier=",".join(subnets),
            default_cooldown=None,
            health_check_period=None,
            health_check_type=None,
            load_balancers=[],
            target_group_arns=[],
            placement_group=None,
            termination_policies=[],
            tags=[],
        )

    def delete_scaling_group(self, name: str) -> None:
        self._scaling.delete_auto_scaling_group(name)


class Eks:
    """The EKS of all regions, as moto's server asks its services."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._lock = threading.Lock()

    def handle(self, request: Any, full_url: str, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
        """Answer one request: status, headers, body."""
        url = urlsplit(full_url)
        found = _REGION.search(headers.get("Authorization", ""))
        region = found[1] if found else "us-east-1"
        segments = [unquote(each) for each in url.path.strip("/").split("/")]
        body = json.loads(request.data) if request.data else None
        with self._lock:
            if region not in self._states:
                self._states[region] = State(ACCOUNT, region, MotoNeighbours(region))
            status, answer = respond(
                self._states[region], request.method, segments, parse_qs(url.query), body
            )
        kind = {} if status == 200 else {"x-amzn-errortype": answer["__type"]}
        return status, {"Content-Type": "application/json", **kind}, json.dumps(answer)


def install() -> None:
    """Let moto's server ask our EKS, and correct what is wrong in its EC2."""
    eks = Eks()
    urls.url_paths.clear()
    for path in ("clusters$", "clusters/(?P<rest>.+)$", "tags/(?P<rest>.+)$"):
        urls.url_paths[f"{{0}}/{path}"] = eks.handle
    LaunchTemplateVersion.__init__ = _without_own_tags(LaunchTemplateVersion.__init__)
    EC2Backend.modify_vpc_endpoint = _with_routes(EC2Backend.modify_vpc_endpoint)


def _with_routes(modify: Callable[..., None]) -> Callable[..., None]:
    def modified(self: Any, vpc_id: str, *arguments: Any, **named: Any) -> None:
        endpoint = self.describe_vpc_endpoints(vpc_end_point_ids=[vpc_id])[0]
        before = set(endpoint.route_table_ids or ())
        modify(self, vpc_id, *arguments, **named)
        after = set(endpoint.route_table_ids or ())
        prefixes = endpoint.destination_prefix_list_id
        for table in after - before:
            self.create_route(table, None, gateway_id=endpoint.id, destination_prefix_list_id=prefixes)
        for table in before - after:
            self.delete_route(table, prefixes)

    return modified


def _without_own_tags(make: Callable[..., None]) -> Callable[..., None]:
    def made(self: Any, template: Any, number: int, data: dict[str, Any], description: str) -> None:
        if "TagSpecifications" in data:
            specifications = data["TagSpecifications"]
            data["TagSpecifications"] = [
                each for each in specifications if each["ResourceType"] != "launch-template"
            ]
        make(self, template, number, data, description)

    return made


def serve(port: int) -> None:
    """Serve until killed."""
    install()
    server = make_server(
        "127.0.0.1",
        port,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
