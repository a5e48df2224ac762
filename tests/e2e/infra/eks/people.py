"""Access entries, their policies, and Pod identity associations, and what AWS does not allow of them.

Source: CreateAccessEntry, AssociateAccessPolicy, CreatePodIdentityAssociation of the EKS API reference.
"""

from __future__ import annotations

import re

from tests.e2e.infra.eks.state import (
    CREATED,
    Cluster,
    Json,
    State,
    check_role,
    in_use,
    invalid,
    missing,
    not_allowed,
)

_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/.+")
_POLICY = re.compile(r"arn:aws[a-z-]*:eks::aws:cluster-access-policy/(\w+)")
_POLICIES = (
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSAdminPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSViewPolicy",
)
_RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")


def create_entry(state: State, cluster_name: str, body: Json) -> Json:
    cluster = state.cluster(cluster_name)
    if cluster.data["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        raise not_allowed("The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP]")
    principal = body["principalArn"]
    if not _PRINCIPAL.fullmatch(principal):
        raise invalid("The principalArn parameter format is not valid")
    if principal in cluster.entries:
        raise in_use("The specified access entry resource is already in use on this cluster.")
    groups = body.get("kubernetesGroups") or []
    if any(group.startswith(_RESERVED) for group in groups):
        raise invalid("The kubernetes group name is invalid, it starts with a reserved prefix")
    role = principal.rpartition("/")[2]
    cluster.entries[principal] = {
        "clusterName": cluster_name,
        "principalArn": principal,
        "kubernetesGroups": groups,
        "accessEntryArn": state.arn(
            f"access-entry/{cluster_name}/role/{state.account}/{role}/{state.number()}"
        ),
        "createdAt": CREATED,
        "modifiedAt": CREATED,
        "username": body.get("username")
        or f"arn:aws:sts::{state.account}:assumed-role/{role}/{{{{SessionName}}}}",
        "type": body.get("type") or "STANDARD",
        "tags": dict(body.get("tags") or {}),
    }
    cluster.policies[principal] = {}
    return {"accessEntry": cluster.entries[principal]}


def describe_entry(state: State, cluster_name: str, principal: str) -> Json:
    return {"accessEntry": _entry(state.cluster(cluster_name), principal)}


def update_entry(state: State, cluster_name: str, principal: str, body: Json) -> Json:
    entry = _entry(state.cluster(cluster_name), principal)
    entry["kubernetesGroups"] = body.get("kubernetesGroups") or []
    return {"accessEntry": entry}


def list_entries(state: State, cluster_name: str) -> Json:
    return {"accessEntries": sorted(state.cluster(cluster_name).entries)}


def delete_entry(state: State, cluster_name: str, principal: str) -> Json:
    cluster = state.cluster(cluster_name)
    _entry(cluster, principal)
    del cluster.entries[principal], cluster.policies[principal]
    return {}


def associate_policy(state: State, cluster_name: str, principal: str, body: Json) -> Json:
    cluster = state.cluster(cluster_name)
    _entry(cluster, principal)
    policy = _POLICY.fullmatch(body["policyArn"])
    if policy is None or policy[1] not in _POLICIES:
        raise invalid("The policyArn parameter format is not valid")
    made = {
        "policyArn": body["policyArn"],
        "accessScope": body["accessScope"],
        "associatedAt": CREATED,
        "modifiedAt": CREATED,
    }
    cluster.policies[principal][body["policyArn"]] = made
    return {"clusterName": cluster_name, "principalArn": principal, "associatedAccessPolicy": made}


def list_policies(state: State, cluster_name: str, principal: str) -> Json:
    cluster = state.cluster(cluster_name)
    _entry(cluster, principal)
    found = list(cluster.policies[principal].values())
    return {"clusterName": cluster_name, "principalArn": principal, "associatedAccessPolicies": found}


def disassociate_policy(state: State, cluster_name: str, principal: str, policy: str) -> Json:
    cluster = state.cluster(cluster_name)
    _entry(cluster, principal)
    if cluster.policies[principal].pop(policy, None) is None:
        raise missing("The specified policyArn could not be found.")
    return {}


def create_identity(state: State, cluster_name: str, body: Json) -> Json:
    cluster = state.cluster(cluster_name)
    check_role(state, body["roleArn"])
    for each in cluster.identities.values():
        if (each["namespace"], each["serviceAccount"]) == (body["namespace"], body["serviceAccount"]):
            raise in_use(f"Association already exists: {each['associationId']}")
    key = f"a-{state.number():017d}"
    cluster.identities[key] = {
        "clusterName": cluster_name,
        "namespace": body["namespace"],
        "serviceAccount": body["serviceAccount"],
        "roleArn": body["roleArn"],
        "associationArn": state.arn(f"podidentityassociation/{cluster_name}/{key}"),
        "associationId": key,
        "createdAt": CREATED,
        "modifiedAt": CREATED,
        "tags": dict(body.get("tags") or {}),
    }
    return {"association": cluster.identities[key]}


def describe_identity(state: State, cluster_name: str, key: str) -> Json:
    return {"association": _identity(state.cluster(cluster_name), key)}


def list_identities(state: State, cluster_name: str) -> Json:
    return {"associations": list(state.cluster(cluster_name).identities.values())}


def update_identity(state: State, cluster_name: str, key: str, body: Json) -> Json:
    association = _identity(state.cluster(cluster_name), key)
    check_role(state, body["roleArn"])
    association["roleArn"] = body["roleArn"]
    return {"association": association}


def delete_identity(state: State, cluster_name: str, key: str) -> Json:
    cluster = state.cluster(cluster_name)
    association = _identity(cluster, key)
    del cluster.identities[key]
    return {"association": association}


def _entry(cluster: Cluster, principal: str) -> Json:
    if principal not in cluster.entries:
        raise missing(f"The specified principalArn could not be found: {principal}")
    return cluster.entries[principal]


def _identity(cluster: Cluster, key: str) -> Json:
    if key not in cluster.identities:
        raise missing(f"No association found for ID: {key}")
    return cluster.identities[key]
