"""Add-ons, and what AWS does not allow of them.

Source: CreateAddon and UpdateAddon of the EKS API reference. Of versions and configurations only the form is
checked: what each version of an add-on takes is known to AWS alone.
"""

from __future__ import annotations

import json
import re

from tests.e2e.infra.eks.state import CREATED, Cluster, Json, State, in_use, invalid, missing

_DEFAULTS = {
    "vpc-cni": "v1.21.1-eksbuild.1",
    "kube-proxy": "v{minor}.0-eksbuild.2",
    "coredns": "v1.13.2-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
    "aws-ebs-csi-driver": "v1.55.0-eksbuild.1",
    "metrics-server": "v0.8.0-eksbuild.6",
    "amazon-cloudwatch-observability": "v4.8.0-eksbuild.1",
    "adot": "v0.109.0-eksbuild.2",
}


def create(state: State, cluster_name: str, body: Json) -> Json:
    cluster = state.cluster(cluster_name)
    name = body["addonName"]
    if name not in _DEFAULTS:
        raise invalid(f"Addon {name} specified is not supported")
    if name in cluster.addons:
        raise in_use("Addon already exists.")
    cluster.addons[name] = {
        "addonName": name,
        "addonArn": state.arn(f"addon/{cluster_name}/{name}/{state.number():08d}"),
        "clusterName": cluster_name,
        "status": "ACTIVE",
        "addonVersion": _version(cluster, name, body.get("addonVersion")),
        "configurationValues": _configuration(body.get("configurationValues")),
        "health": {"issues": []},
        "createdAt": CREATED,
        "modifiedAt": CREATED,
        "tags": dict(body.get("tags") or {}),
    }
    return {"addon": cluster.addons[name]}


def describe(state: State, cluster_name: str, name: str) -> Json:
    return {"addon": _addon(state.cluster(cluster_name), name)}


def list_all(state: State, cluster_name: str) -> Json:
    return {"addons": sorted(state.cluster(cluster_name).addons)}


def update(state: State, cluster_name: str, name: str, body: Json) -> Json:
    cluster = state.cluster(cluster_name)
    addon = _addon(cluster, name)
    if body.get("addonVersion"):
        addon["addonVersion"] = _version(cluster, name, body["addonVersion"])
    if body.get("configurationValues") is not None:
        addon["configurationValues"] = _configuration(body["configurationValues"])
    return state.update(cluster, "AddonUpdate", {"AddonVersion": addon["addonVersion"]})


def delete(state: State, cluster_name: str, name: str) -> Json:
    cluster = state.cluster(cluster_name)
    addon = _addon(cluster, name)
    del cluster.addons[name]
    return {"addon": {**addon, "status": "DELETING"}}


def _addon(cluster: Cluster, name: str) -> Json:
    if name not in cluster.addons:
        raise missing(f"No addon: {name} found in cluster: {cluster.data['name']}")
    return cluster.addons[name]


def _version(cluster: Cluster, name: str, asked: str | None) -> str:
    if asked is None:
        return _DEFAULTS[name].format(minor=cluster.data["version"])
    if not re.fullmatch(r"v\d+\.\d+\.\d+-eksbuild\.\d+", asked):
        raise invalid(f"Addon version specified is not supported: {asked}")
    return asked


def _configuration(text: str | None) -> str | None:
    try:
        if text is not None and not isinstance(json.loads(text), dict):
            raise ValueError("no object")
    except ValueError:
        raise invalid("ConfigurationValue provided in request is not supported") from None
    return text
