"""The storage class of claims that name none: gp3, encrypted, made in the zone that the Pod is in.

EKS has had no default class since 1.30; without one, volumes of Compose files would never be made.

Source: kubernetes-sigs/aws-ebs-csi-driver, docs/parameters.md; CreateVolume of the Amazon EC2 API (a key
may be named by its alias).
"""

from __future__ import annotations

from leeward.infra.platform.pieces import metadata
from leeward.infra.spec import ClusterSpec
from leeward.kube.objects import Obj

NAME = "gp3"
ADDON = "aws-ebs-csi-driver"


def is_wanted(spec: ClusterSpec) -> bool:
    """Tell whether the cluster can make volumes."""
    return spec.addons.get(ADDON) != "off"


def objects(spec: ClusterSpec) -> list[Obj]:
    """Return the storage class."""
    key = f"alias/eks/{spec.name}/disks"  # as the Terraform module `keys` calls it
    own = {"kmsKeyId": key} if spec.encryption.disks == "customer" else {}
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": metadata("storage", NAME, annotations=default),
            "provisioner": "ebs.csi.aws.com",
            "parameters": {"type": "gp3", "encrypted": "true", **own},
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": True,
            "reclaimPolicy": "Delete",
        }
    ]
