"""What the platform of a cluster is made of, as its spec says.

Pure. What Terraform installs, being an add-on of EKS (network, DNS, volumes, metrics), is not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leeward.infra.platform import autoscaler, balancer, logs, storage
from leeward.infra.platform.definitions import definitions
from leeward.infra.platform.images import autoscaler_image, balancer_image, fluent_bit_image, version_of
from leeward.infra.platform.webhooks import webhooks
from leeward.infra.spec import ClusterSpec
from leeward.kube.objects import Obj


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the platform."""

    name: str
    version: str  # "" where there is none
    does: str  # for people
    objects: tuple[Obj, ...]  # in no order


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the spec does not say."""

    registry: str | None = None  # where images come from; None: from their makers
    vpc: str | None = None  # the id; None: it is found by its tags


def platform(spec: ClusterSpec, choice: Choice | None = None) -> tuple[Component, ...]:
    """Return the components of a cluster's platform.

    Args:
        spec: without mistakes.
        choice: what it does not say.
    """
    return tuple(_components(spec, choice or Choice()))


def _components(spec: ClusterSpec, choice: Choice) -> Iterator[Component]:
    controller = [*definitions(), *balancer.objects(spec, choice.registry, choice.vpc), *webhooks()]
    yield Component(
        balancer.NAME,
        version_of(balancer_image()),
        "load balancers of Ingresses and Services",
        tuple(controller),
    )
    if spec.autoscaler == "cluster-autoscaler":
        found = autoscaler.objects(spec, choice.registry)
        version = version_of(autoscaler_image(spec.kubernetes))
        yield Component(autoscaler.NAME, version, "nodes between min and max", tuple(found))
    if logs.is_wanted(spec):
        found = logs.objects(spec, choice.registry)
        version = version_of(fluent_bit_image())
        yield Component(logs.NAME, version, "logs of Pods to CloudWatch", tuple(found))
    if storage.is_wanted(spec):
        yield Component("storage", "", "the default storage class", tuple(storage.objects(spec)))
