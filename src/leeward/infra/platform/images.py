"""The images of the platform, each with the version that is meant, and where that was read.

Tags of both registries are never moved, so a tag is a pin. A new version of leeward brings new ones.

Source: the release of each, named beside it; read on 2026-11-28.
"""

from __future__ import annotations

from collections.abc import Mapping

_BALANCER = "public.ecr.aws/eks/aws-load-balancer-controller:v3.5.0"
# kubernetes-sigs/aws-load-balancer-controller, tag v3.5.0 of 2026-08-03: helm/…/values.yaml
_FLUENT_BIT = "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.15"
# github.com/aws/aws-for-fluent-bit/releases/tag/v3.4.15, with Fluent Bit 5.0.9: knows EKS Pod Identity
_AUTOSCALERS: Mapping[str, str] = {  # one goes with each version of Kubernetes
    "1.29": "v1.29.5",  # kubernetes/kops#17640
    "1.30": "v1.30.6",  # kubernetes/kops#17640
    "1.31": "v1.31.4",  # kubernetes/kops#17640
    "1.32": "v1.32.5",  # kubernetes/k8s.io#8815
    "1.33": "v1.33.5",  # kubernetes/k8s.io#9676, of 2026-07-02
    "1.34": "v1.34.4",  # the same
    "1.35": "v1.35.1",  # the same
    "1.36": "v1.36.0",  # the same
}
_CACHES = {"public.ecr.aws": "ecr-public", "registry.k8s.io": "kubernetes"}  # as ECR proposes to call them


def balancer_image() -> str:
    """Return the image of the AWS Load Balancer Controller."""
    return _BALANCER


def fluent_bit_image() -> str:
    """Return the image of Fluent Bit."""
    return _FLUENT_BIT


def autoscaler_image(kubernetes: str) -> str:
    """Return the image of the Cluster Autoscaler.

    Args:
        kubernetes: the minor version of the cluster, such as "1.35". For one that is newer than all that are
            known, the newest.
    """
    version = _AUTOSCALERS.get(kubernetes) or _AUTOSCALERS[max(_AUTOSCALERS, key=_number)]
    return f"registry.k8s.io/autoscaling/cluster-autoscaler:{version}"


def has_autoscaler(kubernetes: str) -> bool:
    """Tell whether an autoscaler of a version of Kubernetes is known."""
    return kubernetes in _AUTOSCALERS


def from_registry(image: str, registry: str | None) -> str:
    """Return an image as a registry of one's own has it, by pull-through cache rules or copies.

    Args:
        image: as its makers call it.
        registry: such as ``111122223333.dkr.ecr.us-east-1.amazonaws.com``; None: the makers'.
    """
    if registry is None:
        return image
    host, _, rest = image.partition("/")
    return f"{registry.rstrip('/')}/{_CACHES[host]}/{rest}"


def version_of(image: str) -> str:
    """Return the tag of an image."""
    return image.rpartition(":")[2]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
