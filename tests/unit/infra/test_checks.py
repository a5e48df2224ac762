"""Every rule of the check: a case that trips it, and one that passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.base.diagnostics import Severity
from leeward.infra.capacity import allocatable
from leeward.infra.catalogue import catalogue
from leeward.infra.checks.catalog import RULES, broken
from leeward.infra.checks.rule import Case
from leeward.infra.fitting import SYSTEM, homeless, nodes, zone_losses
from leeward.infra.lock import new_lock
from leeward.infra.spec import ApiEndpoint, ClusterSpec, Encryption, Network, NodeGroup, Principal
from leeward.infra.specrules import ADDONS
from leeward.infra.tfvars import tfvars
from leeward.infra.workloads import Workload, workloads
from tests.unit.infra.specs import TODAY

GROUP = NodeGroup(types=("m7i.large", "m6i.large"), min=1, desired=2, max=6, ami="1.35.0-20260415")
SPEC = ClusterSpec(
    name="prod",
    region="us-east-1",
    kubernetes="1.35",
    node_groups={"general": GROUP},
    network=Network(cidr="10.10.0.0/16"),
    api=ApiEndpoint(private_cidrs=("10.8.0.0/16",)),
    addons=dict.fromkeys(ADDONS, "v1.35.0-eksbuild.1"),
    access={"ops": Principal(roles=("arn:aws:iam::111122223333:role/Ops",), cluster="admin")},
)
LAUNCH = 'metadata_options { http_tokens = "required"\n http_put_response_hop_limit = 1 }'
MODULES = {
    "modules/node-groups/main.tf": LAUNCH,
    "modules/cluster/main.tf": "AWSServiceRoleForAutoScaling logs.${",
}


def deployment(
    name: str = "web", replicas: int = 3, cpu: str = "500m", image: str = "x", **pod: Any
) -> dict[str, Any]:
    """Return a Deployment of Pods of one container."""
    container = {"name": name, "image": image, "resources": {"requests": {"cpu": cpu, "memory": "512Mi"}}}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], **pod}},
        },
    }


def budget(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Return a PodDisruptionBudget of a Deployment."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": name}}, **spec},
    }


def case(spec: ClusterSpec = SPEC, *objects: dict[str, Any], **known: Any) -> Case:
    """Return a case with everything around the cluster in order, but for what is given."""
    found: Mapping[str, list[Workload]] = {"production": workloads(objects)} if objects else {}
    running = [workload for each in found.values() for workload in each]
    around: dict[str, Any] = {"lock": new_lock(SPEC), "modules": MODULES, **known}
    return Case(spec=spec, today=TODAY, environments=found, losses=zone_losses(spec, running), **around)


def groups(**changed: NodeGroup) -> ClusterSpec:
    """Return the cluster with other node groups."""
    return replace(SPEC, node_groups=changed)


_DATABASE: dict[str, Any] = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}
_SELECTS: dict[str, Any] = {"nodeSelector": {"workload": "batch"}}
_BATCH = replace(GROUP, labels={"workload": "batch"})
_CLOSED = replace(SPEC, network=replace(SPEC.network, nat="none", endpoints="full"))
_SPANNING = replace(GROUP, per_zone=False, min=3, desired=6, max=18)
# rule → what trips it, what passes although it is near
CASES: dict[str, tuple[Case, Case]] = {
    "highly-available": (case(replace(SPEC, highly_available=False)), case()),
    "nodes-in-every-zone": (case(groups(general=replace(GROUP, min=0))), case()),
    "two-remain": (
        case(groups(general=replace(_SPANNING, min=2))),
        case(groups(general=replace(_SPANNING, min=3))),
    ),
    "two-nodes-a-service": (
        case(
            groups(general=GROUP, batch=replace(_BATCH, zones=("us-east-1a", "us-east-1b"))),
            deployment(**_SELECTS),
        ),
        case(groups(general=GROUP, batch=_BATCH), deployment(**_SELECTS)),
    ),
    "single-pod": (case(SPEC, deployment(replicas=1)), case(SPEC, deployment(replicas=2))),
    "zone-loss-room": (case(SPEC, deployment(replicas=60)), case(SPEC, deployment(replicas=30))),
    "zone-loss-room-at-once": (case(SPEC, deployment(replicas=15)), case(SPEC, deployment(replicas=8))),
    "unschedulable": (case(SPEC, deployment(cpu="3")), case(SPEC, deployment(cpu="1500m"))),
    "single-nat": (
        case(replace(SPEC, network=replace(SPEC.network, nat="single"))),
        case(replace(SPEC, network=replace(SPEC.network, nat="single"), highly_available=False)),
    ),
    "zonal-volumes": (
        case(groups(general=_SPANNING), deployment(**_DATABASE)),
        case(groups(general=_SPANNING, data=GROUP), deployment(**_DATABASE)),
    ),
    "min-above-live": (
        case(groups(general=replace(GROUP, min=2)), live={"general-a": 1}),
        case(groups(general=replace(GROUP, min=2)), live={"general-a": 2}),
    ),
    "only-spot": (
        case(groups(general=replace(GROUP, spot=True))),
        case(groups(general=replace(GROUP, spot=True), system=GROUP)),
    ),
    "one-spot-type": (
        case(groups(general=GROUP, batch=replace(GROUP, spot=True, types=("m7i.large",)))),
        case(groups(general=GROUP, batch=replace(GROUP, spot=True))),
    ),
    "no-autoscaler": (
        case(replace(SPEC, autoscaler="none")),
        case(replace(groups(general=replace(GROUP, max=2)), autoscaler="none")),
    ),
    "no-room-to-grow": (case(groups(general=replace(GROUP, min=6, desired=None))), case()),
    "unpinned-ami": (case(groups(general=replace(GROUP, ami=None))), case()),
    "blocking-budget": (
        case(SPEC, deployment(), budget(minAvailable="100%")),
        case(SPEC, deployment(), budget(maxUnavailable="10%")),
    ),
    "for-life": (case(replace(SPEC, network=Network(cidr="10.11.0.0/16"))), case()),
    "overlapping-addresses": (
        case(others={"qa": replace(SPEC, network=Network(cidr="10.10.128.0/17"))}),
        case(others={"qa": replace(SPEC, network=Network(cidr="10.11.0.0/16"))}),
    ),
    "version-support": (case(replace(SPEC, kubernetes="1.34")), case(replace(SPEC, kubernetes="1.36"))),
    "ended-support": (
        case(replace(SPEC, kubernetes="1.33")),
        case(replace(SPEC, kubernetes="1.33", upgrade_policy="extended")),
    ),
    "other-kube-proxy": (
        case(replace(SPEC, addons={"kube-proxy": "v1.34.9-eksbuild.1"})),
        case(replace(SPEC, addons={}), lock=replace(new_lock(SPEC), addons={"kube-proxy": "v1.35.1"})),
    ),
    "service-addresses": (
        case(replace(SPEC, api=ApiEndpoint(private_cidrs=("172.16.0.0/12",)))),
        case(replace(SPEC, api=ApiEndpoint(private_cidrs=("10.100.0.0/16",)))),
    ),
    "images-without-way-out": (
        case(_CLOSED, deployment()),
        case(_CLOSED, deployment(image="111122223333.dkr.ecr.us-east-1.amazonaws.com/shop/web:1")),
    ),
    "needed-addon-off": (
        case(replace(SPEC, addons={**SPEC.addons, "aws-ebs-csi-driver": "off"}), deployment(**_DATABASE)),
        case(replace(SPEC, addons={**SPEC.addons, "aws-ebs-csi-driver": "off"}), deployment()),
    ),
    "quota": (
        case(groups(**{f"g{number}": GROUP for number in range(11)})),
        case(groups(**{f"g{number}": GROUP for number in range(10)})),
    ),
    "accelerator": (
        case(groups(general=GROUP, gpu=replace(GROUP, types=("g5.xlarge",)))),
        case(groups(general=GROUP, large=replace(GROUP, types=("m7i.2xlarge",)))),
    ),
    "extended-support": (case(replace(SPEC, upgrade_policy="extended")), case()),
    "nobody-administers": (case(replace(SPEC, access={})), case()),
    "public-api": (case(replace(SPEC, api=ApiEndpoint(public_cidrs=("203.0.113.0/24",)))), case()),
    "private-reach": (case(replace(SPEC, api=ApiEndpoint())), case()),
    "unpinned-addons": (
        case(replace(SPEC, addons={})),
        case(replace(SPEC, addons={}), lock=replace(new_lock(SPEC), addons=SPEC.addons)),
    ),
    "disk-key": (
        case(
            replace(SPEC, encryption=Encryption(disks="customer")),
            modules={"modules/a/main.tf": LAUNCH + "logs.${"},
        ),
        case(replace(SPEC, encryption=Encryption(disks="customer"))),
    ),
    "log-key": (
        case(modules={"modules/a/main.tf": LAUNCH}),
        case(replace(SPEC, encryption=Encryption(logs="aws")), modules={"modules/a/main.tf": LAUNCH}),
    ),
    "instance-metadata": (
        case(modules={**MODULES, "modules/node-groups/main.tf": LAUNCH.replace("required", "optional")}),
        case(),
    ),
}


def _found(each: Case) -> dict[str, str]:
    return {rule.id: finding.message for rule, finding in broken(each)}


def test_every_rule_has_its_cases() -> None:
    assert set(CASES) == {rule.id for rule in RULES}


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_is_tripped_and_passes(rule: str) -> None:
    trips, passes = CASES[rule]

    assert rule in _found(trips)
    assert rule not in _found(passes)


def test_a_good_cluster_with_a_good_service_has_no_finding() -> None:
    assert _found(case(SPEC, deployment(), budget(maxUnavailable=1))) == {}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_finding_says_what_to_do_and_where(rule: Any) -> None:
    for finding in rule.find(CASES[rule.id][0]):
        assert finding.message.endswith(".")
        assert finding.remedy.endswith(".")
        assert finding.path
    assert rule.severity in Severity


def test_what_an_autoscaler_may_make_is_known() -> None:
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 2, "maxReplicas": 9,
        },
    }  # fmt: skip
    plain = deployment()
    del plain["spec"]["replicas"]
    (found,) = workloads([plain, scaler])

    assert (found.pods, found.most, found.cpu_millis, found.memory_mib) == (2, 9, 500, 512)


def test_daemons_take_their_part_of_every_node() -> None:
    daemon = {**deployment("agent", cpu="1"), "kind": "DaemonSet"}
    there = nodes(SPEC, "first")
    pods = workloads([deployment(replicas=18)])

    assert homeless(there, pods) == {}
    assert homeless(there, [*pods, *workloads([daemon])]) == {"deployment/web": 12}


def test_taints_keep_pods_away_and_tolerations_let_them_in() -> None:
    tainted = groups(general=replace(GROUP, taints=("dedicated=batch:NoSchedule",)))
    batch = {"key": "dedicated", "value": "batch", "effect": "NoSchedule"}
    toleration: dict[str, Any] = {"tolerations": [batch]}

    assert homeless(nodes(tainted, "first"), workloads([deployment()])) == {"deployment/web": 3}
    assert homeless(nodes(tainted, "first"), workloads([deployment(**toleration)])) == {}


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 5), st.sampled_from(["100m", "700m", "1500m"]))
def test_a_node_more_never_leaves_more_pods_without_one(web: int, api: int, extra: int, cpu: str) -> None:
    pods = workloads([deployment("web", web, cpu), deployment("api", api, "300m")])
    there = nodes(SPEC, "first")

    fewer = sum(homeless(there, pods).values())
    assert sum(homeless([*there, *there[:extra]], pods).values()) <= fewer


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (date(2027, 1, 25), ""),
        (date(2027, 1, 26), "in 60 days"),
        (date(2027, 3, 27), "in 0 days"),
        (date(2027, 3, 28), "365 USD a month more"),
    ],
)
def test_the_end_of_support_is_told_in_time(day: date, words: str) -> None:
    each = case(replace(SPEC, upgrade_policy="extended"))
    message = _found(replace(each, today=day)).get("version-support", "")

    assert words in message
    assert bool(message) == bool(words)


@pytest.mark.parametrize(("day", "rule"), [(27, "version-support"), (28, "ended-support")])
def test_without_extended_support_its_end_is_the_end(day: int, rule: str) -> None:
    found = _found(replace(case(), today=date(2027, 3, day)))

    assert {"version-support", "ended-support"} & set(found) == {rule}


def test_what_a_spanning_group_has_more_counts_in_the_zone_that_goes() -> None:
    spanning = groups(general=replace(GROUP, per_zone=False, min=4, desired=4, max=5))

    for zone in SPEC.zone_names:
        assert len(nodes(spanning, "first", zone)) == 2  # of 2 + 1 + 1
        assert len(nodes(spanning, "max", zone)) == 3  # of 2 + 2 + 1
    assert [loss.nodes for loss in zone_losses(spanning, [])] == [2, 2, 2]


def test_a_node_may_be_of_any_of_its_types() -> None:
    mixed = groups(general=replace(GROUP, types=("m7i.large", "m7i-flex.large", "t3.large")))
    fewest = min(allocatable(catalogue().types[kind]).pods for kind in ("m7i.large", "t3.large"))

    assert {node.room.pods for node in nodes(mixed, "first")} == {fewest - SYSTEM.pods}


def test_zones_whose_loss_does_the_same_are_told_together() -> None:
    (told,) = [
        finding
        for rule, finding in broken(case(SPEC, deployment(replicas=60)))
        if rule.id == "zone-loss-room"
    ]

    assert told.message.startswith("Without us-east-1a, us-east-1b or us-east-1c, 24 Pods (deployment/web)")


def test_a_taint_that_only_prefers_keeps_nobody_away() -> None:
    preferring = replace(GROUP, taints=("a=b:PreferNoSchedule",))

    assert _found(case(groups(general=preferring), deployment())) == {}
    assert "only-spot" in _found(case(groups(general=replace(preferring, spot=True))))
    assert homeless(nodes(groups(general=preferring), "first"), workloads([deployment()])) == {}


def test_pods_of_one_name_in_two_environments_are_all_counted() -> None:
    other = deployment(replicas=20)
    other["metadata"]["namespace"] = "shop-qa"
    there = nodes(SPEC, "first")

    assert homeless(there, workloads([deployment(replicas=20), other])) == {"deployment/web": 22}


def _alone(key: str) -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": "web"}}}
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def _spread(key: str, **other: Any) -> dict[str, Any]:
    each = {"topologyKey": key, "maxSkew": 1, "labelSelector": {"matchLabels": {"app": "web"}}, **other}
    return {"topologySpreadConstraints": [each]}


@pytest.mark.parametrize(
    ("pod", "without_room"),
    [
        ({}, 0),
        (_alone("kubernetes.io/hostname"), 3),
        (_alone("topology.kubernetes.io/zone"), 6),
        (_spread("kubernetes.io/hostname"), 0),
        (_spread("topology.kubernetes.io/zone"), 0),
        (_spread("topology.kubernetes.io/zone", whenUnsatisfiable="ScheduleAnyway"), 0),
    ],
)
def test_pods_that_must_be_apart_are(pod: dict[str, Any], without_room: int) -> None:
    there = nodes(SPEC, "first")  # two in each of three zones

    assert (
        sum(homeless(there, workloads([deployment(replicas=9, cpu="300m", **pod)])).values()) == without_room
    )


def test_a_strict_spread_leaves_room_of_fuller_zones_unused() -> None:
    there = [node for node in nodes(SPEC, "first") if node.zone != "us-east-1c"]
    uneven = there[1:]  # one node in the first zone, two in the second, three Pods on each
    pods = [deployment(replicas=9, cpu="500m", **pod) for pod in ({}, _spread("topology.kubernetes.io/zone"))]

    assert homeless(uneven, workloads(pods[:1])) == {}
    assert homeless(uneven, workloads(pods[1:])) == {"deployment/web": 2}


def test_nodes_have_the_labels_that_checks_count_on() -> None:
    labelled = groups(general=replace(GROUP, labels={"team": "web"}))
    variables = tfvars(labelled, new_lock(labelled))

    for node in nodes(labelled, "first"):
        for key, value in variables["node_groups"]["general"]["labels"].items():
            assert node.labels[key] == value
    assert variables["node_groups"]["general"]["labels"] == {
        "leeward.dev/node-group": "general",
        "team": "web",
    }


def test_a_load_that_nobody_measures_is_told() -> None:
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 9},
    }
    unmeasured = replace(SPEC, addons={**SPEC.addons, "metrics-server": "off"})

    assert "metrics-server is off" in _found(case(unmeasured, deployment(), scaler))["needed-addon-off"]


def test_a_group_of_more_nodes_than_accounts_may_have_is_told() -> None:
    assert "451" in _found(case(groups(general=replace(GROUP, max=451))))["quota"]
