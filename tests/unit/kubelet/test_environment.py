"""Variables of containers: literals, references, ConfigMaps, Secrets, fields, resources, Services."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.interface.client import Client
from leeward.cluster.interface.runtime import RuntimeFailureError
from leeward.cluster.kubelet.environment import expand, field_value, make_environment, resource_value
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj


@pytest.fixture
def client() -> Client:
    """A registry with ConfigMap "settings" and Secret "login" in namespace "shop"."""
    made = Registry(
        MemoryStore(),
        clock=VirtualClock(),
        ids=SeededIds(1),
        options=AdmissionOptions(disabled=("ServiceAccount",)),
    ).client("system:admin")
    made.create("namespaces", {"metadata": {"name": "shop"}})
    meta = {"name": "settings", "namespace": "shop"}
    made.create("configmaps", {"metadata": meta, "data": {"mode": "fast", "size": "3"}})
    password = base64.b64encode(b"s3cret").decode()
    made.create("secrets", {"metadata": {**meta, "name": "login"}, "data": {"password": password}})
    return made


def _pod(**spec: Any) -> Obj:
    meta = {
        "name": "web-1",
        "namespace": "shop",
        "uid": "u-1",
        "labels": {"tier": "front", "app": "web"},
        "annotations": {"note": "hello"},
    }
    resources = {"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"cpu": "1500m", "memory": "100M"}}
    containers = [{"name": "c", "resources": resources}, {"name": "plain"}]
    return {"metadata": meta, "spec": {"containers": containers, "enableServiceLinks": False, **spec}}


def _environment(client: Client, container: Obj, **spec: Any) -> dict[str, str]:
    return make_environment(client, _pod(**spec), {"name": "c", **container}, {"status.podIP": "10.0.0.7"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$(A)", "1"),
        ("x$(A)y$(B)z", "x1y2z"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$", "$"),
        ("$A ${A}", "$A ${A}"),
        ("$(A", "$(A"),
        ("cost: 5$", "cost: 5$"),
        ("$()", "$()"),
        ("$(A)$(A)", "11"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_a_value_is_not_expanded_twice() -> None:
    assert expand("$(A)", {"A": "$(B)", "B": "no"}) == "$(B)"


def test_later_variables_may_refer_to_earlier_ones_only(client: Client) -> None:
    entries = [
        {"name": "EARLY", "value": "$(LATE)"},
        {"name": "LATE", "value": "1"},
        {"name": "URL", "value": "http://$(LATE)/"},
        {"name": "EMPTY"},
    ]
    found = _environment(client, {"env": entries})
    assert found == {"EARLY": "$(LATE)", "LATE": "1", "URL": "http://1/", "EMPTY": ""}


def test_env_from_takes_every_key_and_env_wins(client: Client) -> None:
    sources = [{"configMapRef": {"name": "settings"}}, {"prefix": "DB_", "secretRef": {"name": "login"}}]
    entries = [{"name": "size", "value": "$(size)0"}]
    found = _environment(client, {"envFrom": sources, "env": entries})
    assert found == {"mode": "fast", "size": "30", "DB_password": "s3cret"}


def test_single_keys_are_taken_under_another_name(client: Client) -> None:
    entries = [
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
    ]
    assert _environment(client, {"env": entries}) == {"MODE": "fast", "PASSWORD": "s3cret"}


def test_what_is_optional_may_be_missing(client: Client) -> None:
    entries = [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "x", "optional": True}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "login", "key": "x", "optional": True}}},
    ]
    sources = [{"configMapRef": {"name": "none", "optional": True}}]
    assert _environment(client, {"env": entries, "envFrom": sources}) == {}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"secretRef": {"name": "none"}}]}, 'secret "none" not found'),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "x"}}}]},
            'configmap "none" not found',
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "x"}}}]},
            "couldn't find key x in ConfigMap shop/settings",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "login", "key": "x"}}}]},
            "couldn't find key x in Secret shop/login",
        ),
    ],
)
def test_what_is_missing_is_named(client: Client, container: Obj, message: str) -> None:
    with pytest.raises(RuntimeFailureError, match="^" + message) as caught:
        _environment(client, container)
    assert caught.value.reason == "CreateContainerConfigError"


def test_objects_of_another_namespace_are_not_seen(client: Client) -> None:
    client.create("namespaces", {"metadata": {"name": "other"}})
    client.create("configmaps", {"metadata": {"name": "theirs", "namespace": "other"}, "data": {"a": "b"}})
    with pytest.raises(RuntimeFailureError):
        _environment(client, {"envFrom": [{"configMapRef": {"name": "theirs"}}]})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", "hello"),
        ("metadata.labels", 'app="web"\ntier="front"'),
        ("metadata.annotations", 'note="hello"'),
        ("spec.nodeName", "node-1"),
        ("status.podIP", "10.0.0.7"),
    ],
)
def test_fields_of_the_pod_are_known(path: str, value: str) -> None:
    assert field_value(_pod(nodeName="node-1"), path, {"status.podIP": "10.0.0.7"}) == value


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", None, "2"),  # rounded up to whole cores
        ("limits.cpu", "1m", "1500"),
        ("requests.cpu", None, "1"),
        ("requests.cpu", "1m", "250"),
        ("limits.memory", None, "100000000"),
        ("limits.memory", "1Mi", "96"),
        ("requests.memory", "1Mi", "64"),
        ("requests.memory", "1Ki", "65536"),
    ],
)
def test_resources_are_in_units_of_the_divisor_rounded_up(
    resource: str, divisor: str | None, value: str
) -> None:
    reference = {"resource": resource, **({"divisor": divisor} if divisor else {})}
    assert resource_value(_pod(), {"name": "c"}, reference, {}) == value


def test_a_container_without_limits_has_the_whole_node() -> None:
    facts = {"allocatable.cpu": "4", "allocatable.memory": "8Gi"}
    assert resource_value(_pod(), {"name": "plain"}, {"resource": "limits.cpu"}, facts) == "4"
    reference = {"resource": "limits.memory", "divisor": "1Gi"}
    assert resource_value(_pod(), {"name": "plain"}, reference, facts) == "8"


def test_another_containers_resources_may_be_asked_for() -> None:
    reference = {"resource": "limits.cpu", "containerName": "c", "divisor": "1m"}
    assert resource_value(_pod(), {"name": "plain"}, reference, {}) == "1500"


def test_fields_and_resources_become_variables(client: Client) -> None:
    entries = [
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "BOTH", "value": "$(IP)/$(CPU)"},
    ]
    assert _environment(client, {"env": entries}) == {"IP": "10.0.0.7", "CPU": "2", "BOTH": "10.0.0.7/2"}


def _service(client: Client, name: str, **spec: Any) -> Obj:
    ports = [{"name": "http", "port": 80}, {"name": "admin", "port": 9000}]
    full = {"selector": {"app": "x"}, "ports": ports, **spec}
    return client.create("services", {"metadata": {"name": name, "namespace": "shop"}, "spec": full})


def test_services_of_the_namespace_become_variables(client: Client) -> None:
    made = _service(client, "cart-api")
    _service(client, "peers", clusterIP="None")
    found = _environment(client, {}, enableServiceLinks=True)
    assert found["CART_API_SERVICE_HOST"] == made["spec"]["clusterIP"]
    assert found["CART_API_SERVICE_PORT"] == "80"
    assert not [name for name in found if name.startswith("PEERS")]


def test_service_variables_can_be_left_out_and_overridden(client: Client) -> None:
    _service(client, "cart")
    assert _environment(client, {}) == {}
    entries = [{"name": "CART_SERVICE_PORT", "value": "1"}]
    found = _environment(client, {"env": entries}, enableServiceLinks=True)
    assert found["CART_SERVICE_PORT"] == "1"
