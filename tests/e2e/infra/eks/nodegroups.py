"""Node groups, and what AWS does not allow of them.

A group is up at once, with an Auto Scaling group that has no instances, unless its disks have a key that Auto
Scaling may not use: then it fails as on AWS, where instances end right after they started.

Source: CreateNodegroup, UpdateNodegroupConfig, UpdateNodegroupVersion of the EKS API reference.
"""

from __future__ import annotations

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


def create(state: State, cluster_name: str, body: Json) -> Json:
    cluster = state.cluster(cluster_name)
    name = body["nodegroupName"]
    if name in cluster.node_groups:
        raise in_use(f"NodeGroup already exists with name {name} and cluster name {cluster_name}")
    version = body.get("version") or cluster.data["version"]
    if version != cluster.data["version"]:
        raise invalid(
            f"Requested Nodegroup Kubernetes version {version} is different from the version of the "
            f"cluster: {cluster.data['version']}"
        )
    check_role(state, body["nodeRole"])
    _check_places(state, cluster, body["subnets"])
    scaling = dict(body.get("scalingConfig") or {"minSize": 1, "desiredSize": 2, "maxSize": 2})
    _check_sizes(scaling)
    template = body.get("launchTemplate")
    keys = _check_template(state, body, template)
    release = _release(body.get("releaseVersion"), version, body.get("amiType") or "AL2023_x86_64_STANDARD")
    group = f"eks-{name}-{state.number()}"
    broken = [key for key in keys if not state.neighbours.scaling_may_use(key)]
    if template:
        state.neighbours.make_scaling_group(group, template["id"], body["subnets"], scaling["maxSize"])
    cluster.node_groups[name] = {
        "nodegroupName": name,
        "nodegroupArn": state.arn(f"nodegroup/{cluster_name}/{name}/{state.number():08d}"),
        "clusterName": cluster_name,
        "version": version,
        "releaseVersion": release,
        "createdAt": CREATED,
        "modifiedAt": CREATED,
        "status": "CREATE_FAILED" if broken else "ACTIVE",
        "capacityType": body.get("capacityType") or "ON_DEMAND",
        "scalingConfig": scaling,
        "instanceTypes": body.get("instanceTypes") or ["t3.medium"],
        "subnets": body["subnets"],
        "amiType": body.get("amiType") or "AL2023_x86_64_STANDARD",
        "nodeRole": body["nodeRole"],
        "labels": dict(body.get("labels") or {}),
        "taints": list(body.get("taints") or []),
        "resources": {"autoScalingGroups": [{"name": group}]},
        "health": {"issues": [_launch_failure(group)] if broken else []},
        "updateConfig": body.get("updateConfig") or {"maxUnavailable": 1},
        "nodeRepairConfig": body.get("nodeRepairConfig") or {"enabled": False},
        "launchTemplate": template,
        "tags": dict(body.get("tags") or {}),
    }
    return {"nodegroup": cluster.node_groups[name]}


def describe(state: State, cluster_name: str, name: str) -> Json:
    return {"nodegroup": _group(state.cluster(cluster_name), name)}


def list_all(state: State, cluster_name: str) -> Json:
    return {"nodegroups": sorted(state.cluster(cluster_name).node_groups)}


def update_config(state: State, cluster_name: str, name: str, body: Json) -> Json:
    cluster = state.cluster(cluster_name)
    group = _group(cluster, name)
    scaling = {**group["scalingConfig"], **(body.get("scalingConfig") or {})}
    _check_sizes(scaling)
    group["scalingConfig"] = scaling
    labels = body.get("labels") or {}
    group["labels"] = {**group["labels"], **(labels.get("addOrUpdateLabels") or {})}
    for key in labels.get("removeLabels") or []:
        group["labels"].pop(key, None)
    taints = body.get("taints") or {}
    gone = [(each["key"], each["effect"]) for each in taints.get("removeTaints") or []]
    new = taints.get("addOrUpdateTaints") or []
    gone += [(each["key"], each["effect"]) for each in new]
    group["taints"] = [each for each in group["taints"] if (each["key"], each["effect"]) not in gone] + new
    for key in ("updateConfig", "nodeRepairConfig"):
        group[key] = body.get(key) or group[key]
    return state.update(cluster, "ConfigUpdate", scaling)


def update_version(state: State, cluster_name: str, name: str, body: Json) -> Json:
    cluster = state.cluster(cluster_name)
    group = _group(cluster, name)
    version = body.get("version") or group["version"]
    if version not in VERSIONS or VERSIONS.index(version) > VERSIONS.index(cluster.data["version"]):
        raise invalid(
            f"Nodegroup Kubernetes version {version} is newer than that of the cluster, "
            f"{cluster.data['version']}"
        )
    if VERSIONS.index(version) < VERSIONS.index(group["version"]):
        raise invalid(f"Nodegroups cannot go back from {group['version']} to {version}")
    group["version"] = version
    group["releaseVersion"] = _release(body.get("releaseVersion"), version, group["amiType"])
    wanted = body.get("launchTemplate")
    if wanted:
        if wanted["id"] != (group["launchTemplate"] or {}).get("id"):
            raise not_allowed("Nodegroup update cannot change to another launch template")
        group["launchTemplate"] = {**group["launchTemplate"], **wanted}
    return state.update(cluster, "VersionUpdate", {"Version": version})


def delete(state: State, cluster_name: str, name: str) -> Json:
    cluster = state.cluster(cluster_name)
    group = _group(cluster, name)
    for each in group["resources"]["autoScalingGroups"]:
        state.neighbours.delete_scaling_group(each["name"])
    del cluster.node_groups[name]
    return {"nodegroup": {**group, "status": "DELETING"}}


def _group(cluster: Cluster, name: str) -> Json:
    if name not in cluster.node_groups:
        raise missing(f"No node group found for name: {name}.")
    return cluster.node_groups[name]


def _check_places(state: State, cluster: Cluster, subnets: list[str]) -> None:
    for subnet in subnets:
        place = state.neighbours.subnet(subnet)
        if place is None:
            raise invalid(f"The subnet ID '{subnet}' does not exist")
        if place[1] != cluster.data["resourcesVpcConfig"]["vpcId"]:
            raise invalid("Subnets must belong to the VPC of the cluster")


def _check_sizes(scaling: Json) -> None:
    least, wanted, most = scaling["minSize"], scaling["desiredSize"], scaling["maxSize"]
    if most < 1:
        raise invalid("Maximum capacity must be at least 1")
    if least > most:
        raise invalid(f"Minimum capacity {least} can't be greater than maximum size {most}")
    if least > wanted:
        raise invalid(f"Minimum capacity {least} can't be greater than desired size {wanted}")
    if wanted > most:
        raise invalid(f"desired capacity {wanted} can't be greater than max size {most}")


def _check_template(state: State, body: Json, template: Json | None) -> list[str]:
    if not template:
        return []
    if body.get("diskSize"):
        raise invalid("Disk size must be specified within the launch template.")
    if body.get("remoteAccess"):
        raise invalid("Remote access configuration cannot be specified with a launch template.")
    keys = state.neighbours.template_keys(template["id"])
    if keys is None:
        raise invalid(f"Launch template {template['id']} does not exist")
    return keys


def _release(asked: str | None, version: str, ami_type: str) -> str:
    if asked is None:
        return "1.50.0-0123abcd" if ami_type.startswith("BOTTLEROCKET") else f"{version}.0-20260415"
    if ami_type.startswith("AL2023") and not asked.startswith(f"{version}."):
        raise invalid(f"Requested release version {asked} is not valid for kubernetes version {version}.")
    return asked


def _launch_failure(group: str) -> Json:
    return {
        "code": "AsgInstanceLaunchFailures",
        "message": f"Could not launch On-Demand Instances in {group}. Client.InvalidKMSKey.InvalidState",
        "resourceIds": [group],
    }
