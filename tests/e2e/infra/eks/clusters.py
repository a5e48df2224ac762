"""Clusters: made, changed, upgraded, deleted, and what AWS does not allow.

Source: CreateCluster, UpdateClusterConfig, UpdateClusterVersion and DeleteCluster of the EKS API reference,
and "View Amazon EKS networking requirements for VPC and subnets" of its user guide.
"""

from __future__ import annotations

import re

from tests.e2e.infra.eks.state import (
    CREATED,
    VERSIONS,
    Cluster,
    Json,
    State,
    check_role,
    in_use,
    invalid,
    missing,
    not_allowed,
)

_LOGS = ["api", "audit", "authenticator", "controllerManager", "scheduler"]


def create(state: State, body: Json) -> Json:
    name = body["name"]
    if name in state.clusters:
        raise in_use(f"Cluster already exists with name: {name}")
    if not re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", name):
        raise invalid("Cluster name is not valid")
    if body["version"] not in VERSIONS:
        raise invalid(f"unsupported Kubernetes version {body['version']}")
    check_role(state, body["roleArn"])
    network = body["resourcesVpcConfig"]
    zones, vpc = _zones(state, network["subnetIds"])
    if len(zones) < 2:
        raise invalid("Subnets specified must be in at least two different AZs")
    data = {
        "name": name,
        "arn": state.arn(f"cluster/{name}"),
        "version": body["version"],
        "roleArn": body["roleArn"],
        "createdAt": CREATED,
        "status": "ACTIVE",
        "platformVersion": "eks.1",
        "endpoint": f"https://{name}.gr7.{state.region}.eks.amazonaws.com",
        "certificateAuthority": {"data": "cHJldGVuZGVk"},
        "identity": {"oidc": {"issuer": f"https://oidc.eks.{state.region}.amazonaws.com/id/{name}"}},
        "resourcesVpcConfig": {
            "securityGroupIds": [],
            "endpointPublicAccess": True,
            "endpointPrivateAccess": False,
            "publicAccessCidrs": ["0.0.0.0/0"],
            **{key: value for key, value in network.items() if value is not None},
            "vpcId": vpc,
            "clusterSecurityGroupId": state.neighbours.make_security_group(name, vpc),
        },
        "kubernetesNetworkConfig": {
            "serviceIpv4Cidr": "172.20.0.0/16",
            "ipFamily": "ipv4",
            "elasticLoadBalancing": {"enabled": False},
        },
        "logging": _logging([], body.get("logging")),
        "accessConfig": {"authenticationMode": "CONFIG_MAP", **(body.get("accessConfig") or {})},
        "upgradePolicy": body.get("upgradePolicy") or {"supportType": "EXTENDED"},
        "zonalShiftConfig": body.get("zonalShiftConfig") or {"enabled": False},
        "encryptionConfig": body.get("encryptionConfig") or [],
        "health": {"issues": []},
        "tags": dict(body.get("tags") or {}),
    }
    state.clusters[name] = Cluster(data, frozenset(zones))
    return {"cluster": data}


def describe(state: State, name: str) -> Json:
    return {"cluster": state.cluster(name).data}


def update_config(state: State, name: str, body: Json) -> Json:
    cluster = state.cluster(name)
    kinds = ("resourcesVpcConfig", "logging", "accessConfig", "upgradePolicy", "zonalShiftConfig")
    asked = [kind for kind in kinds if body.get(kind)]
    if len(asked) != 1:
        raise invalid("Only one type of update can be allowed.")
    value = body[asked[0]]
    if asked[0] == "resourcesVpcConfig":
        _change_network(state, cluster, value)
        return state.update(cluster, "EndpointAccessUpdate", value)
    if asked[0] == "logging":
        enabled = [each["types"] for each in cluster.data["logging"]["clusterLogging"] if each["enabled"]]
        cluster.data["logging"] = _logging(enabled[0] if enabled else [], value)
        return state.update(cluster, "LoggingUpdate", value)
    cluster.data[asked[0]] = {**cluster.data[asked[0]], **value}
    return state.update(cluster, f"{asked[0][0].upper()}{asked[0][1:]}Update", value)


def associate_encryption(state: State, name: str, body: Json) -> Json:
    cluster = state.cluster(name)
    if cluster.data["encryptionConfig"]:
        raise invalid("Encryption is already enabled; it cannot be changed.")
    cluster.data["encryptionConfig"] = body["encryptionConfig"]
    return state.update(cluster, "AssociateEncryptionConfig", {})


def update_version(state: State, name: str, body: Json) -> Json:
    cluster = state.cluster(name)
    now, wanted = cluster.data["version"], body["version"]
    if wanted not in VERSIONS:
        raise invalid(f"unsupported Kubernetes version {wanted}")
    step = VERSIONS.index(wanted) - VERSIONS.index(now)
    if step == 0:
        raise invalid(f"Cluster is already at the desired configuration with version {now}")
    if step != 1:
        raise invalid(f"Unsupported Kubernetes minor version update from {now} to {wanted}")
    cluster.data["version"] = wanted
    return state.update(cluster, "VersionUpdate", {"Version": wanted})


def delete(state: State, name: str) -> Json:
    cluster = state.cluster(name)
    if cluster.node_groups:
        raise in_use("Cluster has nodegroups attached")
    state.neighbours.delete_security_group(cluster.data["resourcesVpcConfig"]["clusterSecurityGroupId"])
    del state.clusters[name]
    return {"cluster": {**cluster.data, "status": "DELETING"}}


def describe_update(state: State, name: str, update_id: str) -> Json:
    updates = state.cluster(name).updates
    if update_id not in updates:
        raise missing(f"No update found for ID: {update_id}")
    return {"update": updates[update_id]}


def _zones(state: State, subnets: list[str]) -> tuple[set[str], str]:
    found = {}
    for subnet in subnets:
        place = state.neighbours.subnet(subnet)
        if place is None:
            raise invalid(f"The subnet ID '{subnet}' does not exist")
        found[subnet] = place
    vpcs = {vpc for _, vpc in found.values()}
    if len(vpcs) != 1:
        raise invalid("Subnets specified must belong to the same VPC")
    return {zone for zone, _ in found.values()}, vpcs.pop()


def _change_network(state: State, cluster: Cluster, wanted: Json) -> None:
    network = cluster.data["resourcesVpcConfig"]
    if wanted.get("subnetIds"):
        zones, vpc = _zones(state, wanted["subnetIds"])
        if vpc != network["vpcId"]:
            raise invalid("Subnets must belong to the VPC of the cluster")
        if zones != cluster.zones:
            raise invalid(
                "Provided subnets belong to the AZs "
                f"'{','.join(sorted(zones))}'. But they should belong to the exact set of AZs "
                f"'{','.join(sorted(cluster.zones))}' in which subnets were provided during cluster creation."
            )
    after = {**network, **{key: value for key, value in wanted.items() if value is not None}}
    if not after["endpointPublicAccess"] and not after["endpointPrivateAccess"]:
        raise not_allowed("Private and public endpoint access cannot both be disabled")
    network.update(after)


def _logging(enabled: list[str], wanted: Json | None) -> Json:
    on = set(enabled)
    for each in (wanted or {}).get("clusterLogging", []):
        unknown = set(each["types"]) - set(_LOGS)
        if unknown:
            raise invalid(f"Unknown log types: {', '.join(sorted(unknown))}")
        on = on | set(each["types"]) if each["enabled"] else on - set(each["types"])
    setups = [
        {"types": [kind for kind in _LOGS if kind in on], "enabled": True},
        {"types": [kind for kind in _LOGS if kind not in on], "enabled": False},
    ]
    return {"clusterLogging": [each for each in setups if each["types"]]}
