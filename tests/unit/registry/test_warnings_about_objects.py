"""What is odd or deprecated about volumes, Ingresses, Services and EndpointSlices."""

from __future__ import annotations

import pytest

from leeward.cluster.registry.warnings.catalog import warnings_about
from leeward.kube.objects import Obj


@pytest.mark.parametrize(
    ("resource", "obj", "text"),
    [
        (
            "persistentvolumes",
            {"spec": {"persistentVolumeReclaimPolicy": "Recycle"}},
            "Recycle reclaim policy is",
        ),
        (
            "persistentvolumes",
            {"spec": {"rbd": {}}},
            "spec.rbd: deprecated in v1.28, non-functional in v1.31+",
        ),
        (
            "ingresses.networking.k8s.io",
            {"metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}}},
            "please use 'spec.ingressClassName' instead",
        ),
        ("endpointslices.discovery.k8s.io", {"addressType": "FQDN"}, "FQDN endpoints are deprecated"),
        (
            "endpointslices.discovery.k8s.io",
            {"addressType": "IPv6", "endpoints": [{"addresses": ["fd00:0::1"]}]},
            'addresses[0]: IPv6 address "fd00:0::1" should be in RFC 5952 canonical format ("fd00::1")',
        ),
        (
            "services",
            {"spec": {"externalIPs": ["::ffff:1.2.3.4"]}},
            'spec.externalIPs[0]: non-standard IP address "::ffff:1.2.3.4" is invalid: use "1.2.3.4"',
        ),
        (
            "services",
            {"spec": {"clusterIP": "None", "clusterIPs": ["None"], "sessionAffinity": "ClientIP"}},
            "spec.SessionAffinity: field is ignored for headless services",
        ),
    ],
)
def test_it_is_told(resource: str, obj: Obj, text: str) -> None:
    told = warnings_about(resource, {"metadata": {}, **obj})
    assert any(text in warning for warning in told)


@pytest.mark.parametrize(
    ("resource", "obj"),
    [
        ("persistentvolumes", {"spec": {"hostPath": {"path": "/x"}}}),
        ("ingresses.networking.k8s.io", {"spec": {"ingressClassName": "x"}}),
        (
            "endpointslices.discovery.k8s.io",
            {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]},
        ),
        (
            "services",
            {"spec": {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "sessionAffinity": "None"}},
        ),
    ],
)
def test_nothing_is_told_about_what_is_usual(resource: str, obj: Obj) -> None:
    assert warnings_about(resource, {"metadata": {}, **obj}) == []
