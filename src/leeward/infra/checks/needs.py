"""What goes on around and in a cluster: networks, images, and add-ons that services need.

Source: "View Amazon EKS networking requirements for VPC and subnets" and "Deploy private clusters with
limited internet access" of the Amazon EKS user guide; CreateCluster of its API (``serviceIpv4Cidr``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leeward.base.diagnostics import Severity
from leeward.infra.checks.rule import Case, Finding, Rule

_TEN = ipaddress.IPv4Network("10.0.0.0/8")
_SERVICES = ipaddress.IPv4Network("172.20.0.0/16")  # when the VPC is in 10.0.0.0/8
_SERVICES_OUTSIDE_OF_TEN = ipaddress.IPv4Network("10.100.0.0/16")


def _proxy(case: Case) -> Iterator[Finding]:
    pinned = {**(case.lock.addons if case.lock else {}), **case.spec.addons}.get("kube-proxy", "off")
    if pinned != "off" and not pinned.startswith(f"v{case.spec.kubernetes}."):
        yield Finding(
            ("addons", "kube-proxy") if "kube-proxy" in case.spec.addons else ("addons",),
            f"kube-proxy is pinned to {pinned}, which is not of Kubernetes {case.spec.kubernetes}.",
            f"Pin that of the new version: leeward infra versions {case.spec.name} --pin.",
        )


def _service_addresses(case: Case) -> Iterator[Finding]:
    own = ipaddress.IPv4Network(case.spec.network.cidr)
    services = _SERVICES if own.overlaps(_TEN) else _SERVICES_OUTSIDE_OF_TEN
    for index, text in enumerate(case.spec.api.private_cidrs):
        if services.overlaps(ipaddress.IPv4Network(text)):
            yield Finding(
                ("api", "private_cidrs", index),
                f"{text} overlaps {services}, from which EKS gives Services their addresses; Pods may not "
                "reach what is there.",
                f"Choose a VPC {'outside of' if services is _SERVICES else 'in'} 10.0.0.0/8 for a new "
                "cluster, or keep what Pods need off these addresses.",
            )


def _images(case: Case) -> Iterator[Finding]:
    if case.spec.network.nat != "none":
        return
    for environment, workload in case.workloads:
        containers = [*(workload.spec.get("initContainers") or ()), *(workload.spec.get("containers") or ())]
        foreign = sorted(
            image for image in _images_of(containers) if ".dkr.ecr" not in image.partition("/")[0]
        )
        if foreign:
            yield Finding(
                ("network", "nat"),
                f"{environment}: without NAT, nodes cannot fetch {foreign[0]} of {workload.title}: "
                "they reach ECR of this region only.",
                "Copy images to ECR, or let its pull-through cache do so.",
            )


def _images_of(containers: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(each.get("image")) for each in containers]


def _addons_off(case: Case) -> Iterator[Finding]:
    off = {name for name, version in case.spec.addons.items() if version == "off"}
    for environment, workload in case.workloads:
        if workload.volumes and "aws-ebs-csi-driver" in off:
            yield Finding(
                ("addons", "aws-ebs-csi-driver"),
                f"{environment}: {workload.title} has volumes, which nothing makes while "
                "aws-ebs-csi-driver is off.",
                "Remove this line.",
            )
        if workload.most > workload.pods and "metrics-server" in off:
            yield Finding(
                ("addons", "metrics-server"),
                f"{environment}: {workload.title} is scaled by its load, which nobody measures while "
                "metrics-server is off.",
                "Remove this line, or run a metrics server of your own.",
            )


RULES = (
    Rule("other-kube-proxy", Severity.WARNING, "kube-proxy is of the version of Kubernetes.", _proxy),
    Rule(
        "service-addresses",
        Severity.WARNING,
        "Networks around have other addresses than Services.",
        _service_addresses,
    ),
    Rule(
        "images-without-way-out",
        Severity.WARNING,
        "Without NAT, all images are in ECR.",
        _images,
    ),
    Rule("needed-addon-off", Severity.ERROR, "Add-ons that services need are on.", _addons_off),
)
