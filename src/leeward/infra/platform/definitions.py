"""The custom resources of the AWS Load Balancer Controller: TargetGroupBinding and IngressClassParams.

Their fields are those of upstream's v1beta1, without descriptions. They are never taken away: with them every
binding of a Service to its load balancer would go.

Source: kubernetes-sigs/aws-load-balancer-controller v3.5.0, config/crd/bases.
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.infra.platform.balancer import NAME
from leeward.infra.platform.pieces import metadata
from leeward.kube.objects import Obj

_GROUP = "elbv2.k8s.aws"
_TEXT: Obj = {"type": "string"}
_FLAG: Obj = {"type": "boolean"}
_COUNT: Obj = {"type": "integer", "format": "int32"}
_GENERATION: Obj = {"type": "integer", "format": "int64"}
_PORT: Obj = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
Column = tuple[str, str]  # name and JSON path


def _of(required: Sequence[str] = (), **properties: Obj) -> Obj:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def _list(items: Obj, **more: object) -> Obj:
    return {"type": "array", "items": items, **more}


def _one_of(*words: str) -> Obj:
    return {"type": "string", "enum": list(words)}


def _selector() -> Obj:
    values = _list(_TEXT, **{"x-kubernetes-list-type": "atomic"})
    wanted = _of(("key", "operator"), key=_TEXT, operator=_TEXT, values=values)
    return {
        **_of(
            matchExpressions=_list(wanted, **{"x-kubernetes-list-type": "atomic"}),
            matchLabels={"type": "object", "additionalProperties": _TEXT},
        ),
        "x-kubernetes-map-type": "atomic",
    }


def _pairs() -> Obj:
    return _list(_of(("key", "value"), key=_TEXT, value=_TEXT))


def _binding() -> Obj:
    peer = _of(ipBlock=_of(("cidr",), cidr=_TEXT), securityGroup=_of(("groupID",), groupID=_TEXT))
    ingress = _of(
        ("from", "ports"),
        **{"from": _list(peer)},
        ports=_list(_of(port=_PORT, protocol=_one_of("TCP", "UDP"))),
    )
    return _of(
        ("serviceRef",),
        assumeRoleExternalId=_TEXT,
        iamRoleArnToAssume=_TEXT,
        ipAddressType=_one_of("ipv4", "ipv6"),
        multiClusterTargetGroup=_FLAG,
        networking=_of(ingress=_list(ingress)),
        nodeSelector=_selector(),
        serviceRef=_of(("name", "port"), name=_TEXT, port=_PORT),
        targetGroupARN=_TEXT,
        targetGroupName=_TEXT,
        targetGroupProtocol=_one_of("HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"),
        targetType=_one_of("instance", "ip"),
        vpcID=_TEXT,
    )


def _binding_status() -> Obj:
    condition = _of(
        ("lastTransitionTime", "message", "reason", "status", "type"),
        lastTransitionTime={"type": "string", "format": "date-time"},
        message=_TEXT,
        observedGeneration=_GENERATION,
        reason=_TEXT,
        status=_one_of("True", "False", "Unknown"),
        type=_TEXT,
    )
    return _of(conditions=_list(condition), observedGeneration=_GENERATION)


def _class_parameters() -> Obj:
    listener = _of(listenerAttributes=_pairs(), port=_COUNT, protocol=_TEXT)
    tagged = {"type": "object", "additionalProperties": _list(_TEXT)}
    subnet = {"type": "string", "pattern": "subnet-[0-9a-f]+"}
    return {
        **_of(
            PrefixListsIDs=_list(_TEXT),
            certificateArn=_list(_TEXT),
            group=_of(("name",), name=_TEXT),
            inboundCIDRs=_list(_TEXT),
            ipAddressType=_one_of("ipv4", "dualstack", "dualstack-without-public-ipv4"),
            ipamConfiguration=_of(ipv4IPAMPoolId=_TEXT),
            listeners=_list(listener),
            loadBalancerAttributes=_pairs(),
            loadBalancerName=_TEXT,
            minimumLoadBalancerCapacity=_of(("capacityUnits",), capacityUnits=_COUNT),
            namespaceSelector=_selector(),
            prefixListsIDs=_list(_TEXT),
            scheme=_one_of("internal", "internet-facing"),
            sslPolicy=_TEXT,
            sslRedirectPort=_TEXT,
            subnets=_of(ids=_list(subnet, minItems=1), tags=tagged),
            tags=_pairs(),
            targetType=_one_of("instance", "ip"),
            wafv2AclArn=_TEXT,
            wafv2AclName=_TEXT,
        ),
        "x-kubernetes-validations": [
            {
                "rule": "!(has(self.prefixListsIDs) && has(self.PrefixListsIDs))",
                "message": "prefixListsIDs and PrefixListsIDs are the same: write one of them",
            }
        ],
    }


def _definition(
    kind: str, plural: str, singular: str, scope: str, fields: Obj, columns: Sequence[Column]
) -> Obj:
    root = _of(apiVersion=_TEXT, kind=_TEXT, metadata={"type": "object"}, **fields)
    shown = [{"name": name, "type": "string", "jsonPath": path} for name, path in columns]
    age = {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
    version = {
        "name": "v1beta1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": root},
        "additionalPrinterColumns": [*shown, age],
        **({"subresources": {"status": {}}} if "status" in fields else {}),
    }
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": singular}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata(NAME, f"{plural}.{_GROUP}"),
        "spec": {"group": _GROUP, "names": names, "scope": scope, "versions": [version]},
    }


def definitions() -> list[Obj]:
    """Return the definitions, as they are applied."""
    return [
        _definition(
            "IngressClassParams", "ingressclassparams", "ingressclassparam", "Cluster",
            {"spec": _class_parameters()},
            [("GROUP-NAME", ".spec.group.name"), ("SCHEME", ".spec.scheme")],
        ),
        _definition(
            "TargetGroupBinding", "targetgroupbindings", "targetgroupbinding", "Namespaced",
            {"spec": _binding(), "status": _binding_status()},
            [
                ("SERVICE-NAME", ".spec.serviceRef.name"), ("SERVICE-PORT", ".spec.serviceRef.port"),
                ("TARGET-TYPE", ".spec.targetType"),
            ],
        ),
    ]  # fmt: skip
