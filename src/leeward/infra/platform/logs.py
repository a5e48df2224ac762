"""Fluent Bit: what Pods write goes to CloudWatch Logs, where the add-on that does so too is off.

Every event is the line with its Pod (``log``, ``kubernetes``), in the log group that ``leeward logs --env
--cloudwatch`` reads; Pods of kube-system go to one of their own. The groups are Terraform's: with a key,
and an end.

Source: "Set up Fluent Bit to send logs to CloudWatch" of the Amazon CloudWatch user guide; docs.fluentbit.io:
inputs/tail, filters/kubernetes, outputs/cloudwatch; entrypoint.sh of aws/aws-for-fluent-bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from leeward.infra.platform import pieces
from leeward.infra.platform.images import fluent_bit_image, from_registry
from leeward.infra.spec import ClusterSpec
from leeward.kube.objects import Obj

NAME = "fluent-bit"  # the service account that Terraform binds the role to
NAMESPACE = "amazon-cloudwatch"
ADDON = "amazon-cloudwatch-observability"  # sends logs itself
_FILES = "/var/log/containers"
_STATE = "/var/fluent-bit/state"
_CONFIG = "/fluent-bit/etc/fluent-bit.conf"  # that the image's own command reads
_RULES = (pieces.rule("core", "namespaces pods"),)


def is_wanted(spec: ClusterSpec) -> bool:
    """Tell whether logs are to be sent, and no add-on of EKS does it; as the Terraform module has it."""
    return spec.logging.workloads and spec.addons.get(ADDON) == "off"


def objects(spec: ClusterSpec, registry: str | None) -> list[Obj]:
    """Return Fluent Bit on every node; `registry` is where its image comes from, None: from its makers."""
    privileged = {"pod-security.kubernetes.io/enforce": "privileged"}  # it reads files of nodes
    namespace = pieces.metadata(NAME, NAMESPACE)
    config = configuration(spec)
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {**namespace, "labels": {**namespace["labels"], **privileged}},
        },
        pieces.account(NAME, NAME, NAMESPACE),
        *pieces.permissions(NAME, NAME, NAMESPACE, _RULES, ()),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": pieces.metadata(NAME, NAME, NAMESPACE),
            "data": {"fluent-bit.conf": config},
        },
        _daemon_set(spec, registry, hashlib.sha256(config.encode()).hexdigest()[:16]),
    ]


def configuration(spec: ClusterSpec) -> str:
    """Return the configuration of Fluent Bit, as its classic files are written."""
    system = f"{_FILES}/*_{pieces.SYSTEM}_*.log"
    service = {
        "Flush": "5", "Grace": "30", "Log_Level": "warn", "Daemon": "off", "HTTP_Server": "On",
        "HTTP_Listen": "0.0.0.0", "HTTP_Port": "2020", "Health_Check": "On",
        "storage.path": f"{_STATE}/buffer/", "storage.backlog.mem_limit": "5M",
    }  # fmt: skip
    sections = [("SERVICE", service)]
    inputs = {
        "application": {
            "Path": f"{_FILES}/*.log",
            "Exclude_Path": f"{system},{_FILES}/{NAME}-*_{NAMESPACE}_*.log",
        },
        "dataplane": {"Path": system},
    }
    for group, files in inputs.items():
        tail = {
            "Name": "tail", "Tag": f"{group}.*", **files, "multiline.parser": "docker, cri",
            "DB": f"{_STATE}/{group}.db", "Mem_Buf_Limit": "50MB", "Skip_Long_Lines": "On",
            "Refresh_Interval": "10", "Rotate_Wait": "30", "storage.type": "filesystem",
        }  # fmt: skip
        known = {
            "Name": "kubernetes", "Match": f"{group}.*", "Kube_Tag_Prefix": f"{group}.var.log.containers.",
            "Merge_Log": "Off", "Labels": "Off", "Annotations": "Off", "Buffer_Size": "0",
        }  # fmt: skip
        sent = {
            "Name": "cloudwatch_logs", "Match": f"{group}.*", "region": spec.region,
            "log_group_name": f"/aws/containerinsights/{spec.name}/{group}",
            "log_stream_prefix": "${HOST_NAME}-", "auto_create_group": "false", "Retry_Limit": "5",
        }  # fmt: skip
        sections += [("INPUT", tail), ("FILTER", known), ("OUTPUT", sent)]
    return "\n".join(_section(name, values) for name, values in sections)


def _section(name: str, values: Mapping[str, str]) -> str:
    return "".join([f"[{name}]\n", *(f"    {key} {value}\n" for key, value in values.items())])


def _daemon_set(spec: ClusterSpec, registry: str | None, digest: str) -> Obj:
    mounts = [
        {"name": "config", "mountPath": _CONFIG, "subPath": "fluent-bit.conf", "readOnly": True},
        {"name": "log", "mountPath": "/var/log", "readOnly": True},
        {"name": "state", "mountPath": _STATE},
    ]
    container = {
        "name": NAME,
        "image": from_registry(fluent_bit_image(), registry),
        "env": [
            {"name": "AWS_REGION", "value": spec.region},
            {
                "name": "HOST_NAME",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}},
            },
        ],
        "ports": [{"name": "http", "containerPort": 2020, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/api/v1/health", "port": "http"}, "periodSeconds": 10},
        "resources": pieces.resources("50m", "64Mi", "250Mi"),
        # Files of Pods belong to root; so it is root, with nothing but that.
        "securityContext": {**pieces.confined(), "runAsNonRoot": False, "runAsUser": 0},
        "volumeMounts": mounts,
    }
    pod = {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "priorityClassName": "system-node-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 30,
        "containers": [container],
        "volumes": [
            {"name": "config", "configMap": {"name": NAME}},
            {"name": "log", "hostPath": {"path": "/var/log", "type": "Directory"}},
            {"name": "state", "hostPath": {"path": _STATE, "type": "DirectoryOrCreate"}},
        ],
    }
    annotations = {"leeward.dev/configuration": digest}  # it reads its files once
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": pieces.metadata(NAME, NAME, NAMESPACE),
        "spec": {
            "selector": {"matchLabels": pieces.selector(NAME)},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
            "template": {
                "metadata": {"labels": pieces.selector(NAME), "annotations": annotations},
                "spec": pod,
            },
        },
    }
