"""The official Python client, `kubernetes`: typed APIs, watches, the dynamic client, utilities, streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config, dynamic, informer, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes.stream import portforward, stream

from tests.clients import objects
from tests.clients.objects import CLIENT, DEADLINE

pytestmark = CLIENT
GROUP = "kubernetes.clients.leeward.dev"
APPLY = "application/apply-patch+yaml"


@pytest.fixture(scope="module")
def connection(kubeconfig: Path) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(kubeconfig)) as made:
        yield made


@pytest.fixture(scope="module")
def core(connection: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(connection)


@pytest.fixture(scope="module")
def talker(core: client.CoreV1Api, namespace: str) -> str:
    created = core.create_namespaced_pod(namespace, objects.talker())
    for event in watch.Watch().stream(
        core.list_namespaced_pod, namespace, label_selector="app=talker", timeout_seconds=DEADLINE
    ):
        conditions = {each.type: each.status for each in event["object"].status.conditions or []}
        if conditions.get("Ready") == "True":
            return str(created.metadata.name)
    raise AssertionError("the Pod did not become ready")


def test_an_object_is_created_listed_watched_patched_and_deleted(
    core: client.CoreV1Api, namespace: str
) -> None:
    labels = {"app": "shop"}
    before = core.list_namespaced_config_map(namespace, label_selector="app=shop")
    assert before.items == []
    made = client.V1ConfigMap(
        metadata=client.V1ObjectMeta(name="shop", labels=labels), data={"colour": "red"}
    )
    core.create_namespaced_config_map(namespace, made)
    seen = []
    for event in watch.Watch().stream(
        core.list_namespaced_config_map,
        namespace,
        label_selector="app=shop",
        resource_version=before.metadata.resource_version,
        timeout_seconds=DEADLINE,
    ):
        seen.append((event["type"], event["object"].data["colour"]))
        if event["type"] == "ADDED":
            core.patch_namespaced_config_map(
                "shop", namespace, {"data": {"colour": "blue"}}, _content_type="application/merge-patch+json"
            )
        elif event["type"] == "MODIFIED":
            core.delete_namespaced_config_map("shop", namespace)
        else:
            break
    assert seen == [("ADDED", "red"), ("MODIFIED", "blue"), ("DELETED", "blue")]
    with pytest.raises(ApiException, match="404"):
        core.read_namespaced_config_map("shop", namespace)


def test_a_watch_with_a_time_limit_ends_by_itself(core: client.CoreV1Api, namespace: str) -> None:
    quiet = watch.Watch().stream(
        core.list_namespaced_config_map, namespace, label_selector="app=nothing", timeout_seconds=1
    )
    assert list(quiet) == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json-patch+json", [{"op": "replace", "path": "/data/colour", "value": "blue"}]),
        ("application/merge-patch+json", {"data": {"colour": "blue"}}),
        ("application/strategic-merge-patch+json", {"data": {"colour": "blue"}}),
    ],
    ids=["json", "merge", "strategic"],
)
def test_patches_of_every_kind_are_taken(
    core: client.CoreV1Api, namespace: str, content_type: str, body: Any
) -> None:
    name = content_type.partition("/")[2].partition("+")[0]
    core.create_namespaced_config_map(namespace, objects.config_map(name, colour="red", size="2"))
    patched = core.patch_namespaced_config_map(name, namespace, body, _content_type=content_type)
    assert patched.data == {"colour": "blue", "size": "2"}


def test_a_second_field_manager_conflicts_until_it_forces(core: client.CoreV1Api, namespace: str) -> None:
    def apply(manager: str, colour: str, **options: Any) -> client.V1ConfigMap:
        return core.patch_namespaced_config_map(
            "applied",
            namespace,
            objects.config_map("applied", colour=colour),
            field_manager=manager,
            _content_type=APPLY,
            **options,
        )

    assert apply("first", "red").data == {"colour": "red"}
    with pytest.raises(ApiException, match='conflict with \\\\"first\\\\"') as refused:
        apply("second", "blue")
    assert refused.value.status == 409
    forced = apply("second", "blue", force=True)
    owners = {each.manager: each.fields_v1 for each in forced.metadata.managed_fields}
    assert forced.data == {"colour": "blue"}
    assert "f:colour" in owners["second"]["f:data"]


def test_a_deployment_rolls_out_scales_and_goes_with_its_pods(
    connection: client.ApiClient, core: client.CoreV1Api, namespace: str
) -> None:
    apps = client.AppsV1Api(connection)
    apps.create_namespaced_deployment(namespace, objects.deployment("web"))

    def wait_for(replicas: int) -> None:
        for event in watch.Watch().stream(
            apps.list_namespaced_deployment, namespace, label_selector="app=web", timeout_seconds=DEADLINE
        ):
            if (event["object"].status.ready_replicas or 0) == replicas:
                return
        raise AssertionError(f"never {replicas} replicas")

    wait_for(1)
    container = {"name": "main", "env": [{"name": "COLOUR", "value": "blue"}]}
    patched = apps.patch_namespaced_deployment(
        "web",
        namespace,
        {"spec": {"template": {"spec": {"containers": [container]}}}},
        _content_type="application/strategic-merge-patch+json",
    )
    assert patched.spec.template.spec.containers[0].image == "busybox"  # merged by name, not replaced
    apps.patch_namespaced_deployment_scale(
        "web", namespace, {"spec": {"replicas": 2}}, _content_type="application/merge-patch+json"
    )
    assert apps.read_namespaced_deployment_scale("web", namespace).spec.replicas == 2
    wait_for(2)
    assert apps.read_namespaced_deployment_status("web", namespace).status.ready_replicas == 2
    pods = core.list_namespaced_pod(namespace, label_selector="app=web")
    apps.delete_namespaced_deployment("web", namespace, propagation_policy="Foreground")
    left = {pod.metadata.name for pod in pods.items}
    for event in watch.Watch().stream(
        core.list_namespaced_pod,
        namespace,
        label_selector="app=web",
        resource_version=pods.metadata.resource_version,
        timeout_seconds=DEADLINE,
    ):
        if event["type"] == "DELETED":
            left.discard(event["object"].metadata.name)
        if not left:
            break
    assert not left


def test_logs_are_read_and_followed(core: client.CoreV1Api, namespace: str, talker: str) -> None:
    assert "Serving HTTP" in core.read_namespaced_pod_log(talker, namespace, container="main")
    limited = core.read_namespaced_pod_log(talker, namespace, container="ticker", limit_bytes=6)
    assert limited == "tick 0"
    following = watch.Watch().stream(
        core.read_namespaced_pod_log, name=talker, namespace=namespace, container="ticker", tail_lines=1
    )
    numbers = [int(line.split()[1]) for line, _ in zip(following, range(4), strict=False)]
    assert numbers == list(range(numbers[0], numbers[0] + 4))


def test_a_command_is_executed_with_its_streams(core: client.CoreV1Api, namespace: str, talker: str) -> None:
    told = stream(
        core.connect_get_namespaced_pod_exec,
        talker,
        namespace,
        container="main",
        command=["echo", "hello"],
        stdout=True,
        stderr=True,
        stdin=False,
        tty=False,
    )
    assert told == "hello\n"
    talk = stream(
        core.connect_get_namespaced_pod_exec,
        talker,
        namespace,
        container="main",
        command=["sh", "-c", "read a; echo got $a; echo err >&2; exit 4"],
        stdin=True,
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    talk.write_stdin("this\n")
    talk.run_forever(timeout=DEADLINE)
    assert (talk.read_stdout(), talk.read_stderr(), talk.returncode) == ("got this\n", "err\n", 4)


def test_a_port_is_forwarded(core: client.CoreV1Api, namespace: str, talker: str) -> None:
    forwarded = portforward(
        core.connect_get_namespaced_pod_portforward, talker, namespace, ports="8000"
    ).socket(8000)
    forwarded.setblocking(True)
    forwarded.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = b""
    while chunk := forwarded.recv(4096):
        answer += chunk
    forwarded.close()
    assert answer.endswith(b"\r\n\r\nhello\n")


def test_a_custom_resource_is_defined_watched_scaled_and_has_a_status(
    connection: client.ApiClient, namespace: str
) -> None:
    definitions = client.ApiextensionsV1Api(connection)
    definitions.create_custom_resource_definition(objects.definition(GROUP))
    for event in watch.Watch().stream(
        definitions.list_custom_resource_definition,
        field_selector=f"metadata.name=widgets.{GROUP}",
        timeout_seconds=DEADLINE,
    ):
        if any(each.type == "Established" for each in event["object"].status.conditions or []):
            break
    custom = client.CustomObjectsApi(connection)
    where = (GROUP, "v1", namespace, "widgets")
    custom.create_namespaced_custom_object(*where, objects.widget(GROUP, "one", 3))
    listed = custom.list_namespaced_custom_object(*where, label_selector="app=one")
    assert [each["spec"]["size"] for each in listed["items"]] == [3]
    with pytest.raises(ApiException, match="should be greater than or equal to 0"):
        custom.create_namespaced_custom_object(*where, objects.widget(GROUP, "wrong", -1))
    seen = []
    custom.patch_namespaced_custom_object_scale(*where, "one", {"spec": {"replicas": 4}})
    assert custom.get_namespaced_custom_object_scale(*where, "one")["spec"] == {"replicas": 4}
    custom.patch_namespaced_custom_object_status(*where, "one", {"status": {"phase": "Fine"}})
    custom.delete_namespaced_custom_object(*where, "one")
    for event in watch.Watch().stream(
        custom.list_namespaced_custom_object,
        *where,
        resource_version=listed["metadata"]["resourceVersion"],
        timeout_seconds=DEADLINE,
    ):
        found = event["object"]
        seen.append((event["type"], found["spec"]["size"], found.get("status", {}).get("phase")))
        if event["type"] == "DELETED":
            break
    assert seen == [("MODIFIED", 4, None), ("MODIFIED", 4, "Fine"), ("DELETED", 4, "Fine")]


def test_the_dynamic_client_discovers_applies_and_watches(
    connection: client.ApiClient, namespace: str, tmp_path: Path
) -> None:
    cache = tmp_path / "discovery.json"
    found = dynamic.DynamicClient(connection, cache_file=str(cache))
    maps = found.resources.get(api_version="v1", kind="ConfigMap")
    body = objects.config_map("dynamic", colour="red")
    maps.server_side_apply(body=body, namespace=namespace, field_manager="first")
    body["data"]["colour"] = "blue"
    with pytest.raises(ConflictError):
        maps.server_side_apply(body=body, namespace=namespace, field_manager="second")
    maps.server_side_apply(body=body, namespace=namespace, field_manager="second", force_conflicts=True)
    listed = maps.get(namespace=namespace, label_selector="app=dynamic")
    assert [each.data.colour for each in listed.items] == ["blue"]
    maps.patch(body={"data": {"size": "3"}}, name="dynamic", namespace=namespace)
    maps.delete(name="dynamic", namespace=namespace)
    seen = []
    for event in maps.watch(
        namespace=namespace,
        name="dynamic",
        resource_version=listed.metadata.resourceVersion,
        timeout=DEADLINE,
    ):
        seen.append((event["type"], event["object"].data.to_dict()))
        if event["type"] == "DELETED":
            break
    assert seen == [(what, {"colour": "blue", "size": "3"}) for what in ("MODIFIED", "DELETED")]
    with pytest.raises(NotFoundError):
        maps.get(name="dynamic", namespace=namespace)
    assert cache.exists()
    again = dynamic.DynamicClient(connection, cache_file=str(cache))
    assert again.resources.get(api_version="apps/v1", kind="Deployment").subresources["scale"]
    assert again.version["kubernetes"]["gitVersion"].startswith("v1.36")


def test_a_watch_begins_with_what_is_there_and_says_when_that_is_all(
    connection: client.ApiClient, namespace: str
) -> None:
    secrets = dynamic.DynamicClient(connection).resources.get(api_version="v1", kind="Secret")
    for name in ("a", "b"):
        secrets.create(body={"metadata": {"name": name, "labels": {"app": "streamed"}}}, namespace=namespace)
    seen = []
    for event in secrets.watch(
        namespace=namespace,
        label_selector="app=streamed",
        timeout=DEADLINE,
        allow_watch_bookmarks=True,
        send_initial_events=True,
        resource_version_match="NotOlderThan",
    ):
        metadata = event["object"].metadata
        seen.append((event["type"], metadata.name))
        if event["type"] == "BOOKMARK":
            assert metadata.annotations["k8s.io/initial-events-end"] == "true"
            break
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("BOOKMARK", None)]


def test_what_a_file_says_is_created_and_applied(
    connection: client.ApiClient, core: client.CoreV1Api, namespace: str, tmp_path: Path
) -> None:
    file = tmp_path / "all.yaml"
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "file"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "file"}},
    }
    file.write_text(yaml.safe_dump_all([objects.config_map("file", colour="red"), service]))
    utils.create_from_yaml(connection, str(file), namespace=namespace)
    assert core.read_namespaced_service("file", namespace).spec.ports[0].target_port == 80
    with pytest.raises(utils.FailToCreateError, match="AlreadyExists"):
        utils.create_from_yaml(connection, str(file), namespace=namespace)
    utils.create_from_yaml(connection, str(file), namespace=namespace, apply=True, force_conflicts=True)
    managers = core.read_namespaced_config_map("file", namespace).metadata.managed_fields
    assert ("python-client", "Apply") in {(each.manager, each.operation) for each in managers}


def test_an_informer_keeps_a_cache(core: client.CoreV1Api, namespace: str) -> None:
    said: dict[str, threading.Event] = {kind: threading.Event() for kind in ("ADDED", "MODIFIED", "DELETED")}
    shared = informer.SharedInformer(
        core.list_namespaced_config_map, namespace=namespace, label_selector="app=informed"
    )
    for kind, event in said.items():
        shared.add_event_handler(kind, lambda _, event=event: event.set())
    shared.start()
    try:
        core.create_namespaced_config_map(namespace, objects.config_map("informed", colour="red"))
        assert said["ADDED"].wait(DEADLINE)
        core.replace_namespaced_config_map(
            "informed", namespace, objects.config_map("informed", colour="blue")
        )
        assert said["MODIFIED"].wait(DEADLINE)
        assert [each.data for each in shared.cache.list()] == [{"colour": "blue"}]
        core.delete_collection_namespaced_config_map(namespace, label_selector="app=informed")
        assert said["DELETED"].wait(DEADLINE)
        assert shared.cache.list() == []
    finally:
        shared.stop()


def test_a_leader_is_elected_and_another_takes_over(kubeconfig: Path, namespace: str) -> None:
    config.load_kube_config(str(kubeconfig))
    led: list[str] = []

    def lead(name: str) -> None:
        def work() -> None:
            led.append(name)
            raise RuntimeError("enough")  # gives the lead away

        lock = LeaseLock("leader", namespace, name)
        settings = electionconfig.Config(
            lock, 2, 1.5, 1, onstarted_leading=work, onstopped_leading=lambda: None
        )
        leaderelection.LeaderElection(settings).run()

    lead("first")
    lead("second")
    assert led == ["first", "second"]
    lease = client.CoordinationV1Api().read_namespaced_lease("leader", namespace)
    assert lease.spec.holder_identity == "second"
