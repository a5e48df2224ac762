"""kubernetes_asyncio: the official client's shape on asyncio; watches, the dynamic client, WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_asyncio import client, config, utils, watch
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.dynamic import DynamicClient
from kubernetes_asyncio.leaderelection import electionconfig, leaderelection
from kubernetes_asyncio.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes_asyncio.stream import WsApiClient
from kubernetes_asyncio.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDIN_CHANNEL, STDOUT_CHANNEL

from tests.clients import objects
from tests.clients.objects import CLIENT, DEADLINE

pytestmark = CLIENT
GROUP = "asyncio.clients.leeward.dev"
MERGE = "application/merge-patch+json"
Run = Callable[[Callable[[client.ApiClient], Awaitable[None]]], None]


@pytest.fixture(scope="module")
def run(kubeconfig: Path) -> Run:
    """Return what runs one conversation with the server, to its end or the deadline's."""

    def run(talk: Callable[[client.ApiClient], Awaitable[None]]) -> None:
        async def connected() -> None:
            async with asyncio.timeout(DEADLINE), await config.new_client_from_config(str(kubeconfig)) as api:
                await talk(api)

        asyncio.run(connected())

    return run


@asynccontextmanager
async def events(function: Any, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
    async with watch.Watch().stream(function, *arguments, timeout_seconds=DEADLINE, **options) as stream:
        yield stream


@pytest.fixture(scope="module")
def talker(run: Run, namespace: str) -> str:
    async def start(api: client.ApiClient) -> None:
        core = client.CoreV1Api(api)
        await core.create_namespaced_pod(namespace, objects.talker())
        async with events(core.list_namespaced_pod, namespace, label_selector="app=talker") as stream:
            async for event in stream:
                conditions = {each.type: each.status for each in event["object"].status.conditions or []}
                if conditions.get("Ready") == "True":
                    return
        raise AssertionError("the Pod did not become ready")

    run(start)
    return "talker"


def test_an_object_is_created_listed_watched_patched_and_deleted(run: Run, namespace: str) -> None:
    async def talk(api: client.ApiClient) -> None:
        core = client.CoreV1Api(api)
        before = await core.list_namespaced_config_map(namespace, label_selector="app=shop")
        assert before.items == []
        meta = client.V1ObjectMeta(name="shop", labels={"app": "shop"})
        await core.create_namespaced_config_map(
            namespace, client.V1ConfigMap(metadata=meta, data={"colour": "red"})
        )
        seen = []
        version = before.metadata.resource_version
        async with events(
            core.list_namespaced_config_map, namespace, label_selector="app=shop", resource_version=version
        ) as stream:
            async for event in stream:
                seen.append((event["type"], event["object"].data["colour"]))
                if event["type"] == "ADDED":
                    await core.patch_namespaced_config_map("shop", namespace, {"data": {"colour": "blue"}})
                elif event["type"] == "MODIFIED":
                    await core.delete_namespaced_config_map("shop", namespace)
                else:
                    break
        assert seen == [("ADDED", "red"), ("MODIFIED", "blue"), ("DELETED", "blue")]
        with pytest.raises(ApiException, match="404"):
            await core.read_namespaced_config_map("shop", namespace)

    run(talk)


def test_a_watch_with_a_time_limit_ends_by_itself(run: Run, namespace: str) -> None:
    async def talk(api: client.ApiClient) -> None:
        core = client.CoreV1Api(api)
        quiet = watch.Watch().stream(
            core.list_namespaced_config_map, namespace, label_selector="app=nothing", timeout_seconds=1
        )
        assert [event async for event in quiet] == []

    run(talk)


def test_patches_of_every_kind_are_taken(run: Run, namespace: str) -> None:
    change: dict[str, Any] = {"data": {"colour": "blue"}}
    operations: list[Any] = [{"op": "replace", "path": "/data/colour", "value": "blue"}]

    async def talk(api: client.ApiClient) -> None:
        core = client.CoreV1Api(api)
        for name, body, options in (
            ("strategic", change, {}),  # what the client chooses for a dictionary
            ("json", operations, {}),  # and for a list
            ("merge", change, {"_content_type": MERGE}),
        ):
            given = objects.config_map(name, colour="red", size="2")
            await core.create_namespaced_config_map(namespace, given)
            patched = await core.patch_namespaced_config_map(name, namespace, body, **options)
            assert patched.data == {"colour": "blue", "size": "2"}

    run(talk)


def test_a_second_field_manager_conflicts_until_it_forces(run: Run, namespace: str) -> None:
    async def talk(api: client.ApiClient) -> None:
        core = client.CoreV1Api(api)

        async def apply(manager: str, colour: str, **options: Any) -> client.V1ConfigMap:
            return await core.patch_namespaced_config_map(
                "applied",
                namespace,
                objects.config_map("applied", colour=colour),
                field_manager=manager,
                _content_type="application/apply-patch+yaml",
                **options,
            )

        assert (await apply("first", "red")).data == {"colour": "red"}
        with pytest.raises(ApiException) as refused:
            await apply("second", "blue")
        assert refused.value.status == 409
        assert (await apply("second", "blue", force=True)).data == {"colour": "blue"}

    run(talk)


def test_a_deployment_rolls_out_scales_and_goes_with_its_pods(run: Run, namespace: str) -> None:
    async def talk(api: client.ApiClient) -> None:
        apps, core = client.AppsV1Api(api), client.CoreV1Api(api)

        async def wait_for(replicas: int) -> None:
            async with events(apps.list_namespaced_deployment, namespace, label_selector="app=web") as stream:
                async for event in stream:
                    if (event["object"].status.ready_replicas or 0) == replicas:
                        return
            raise AssertionError(f"never {replicas} replicas")

        await apps.create_namespaced_deployment(namespace, objects.deployment("web"))
        await wait_for(1)
        scale = await apps.read_namespaced_deployment_scale("web", namespace)
        scale.spec.replicas = 2
        await apps.replace_namespaced_deployment_scale("web", namespace, scale)
        await wait_for(2)
        pods = await core.list_namespaced_pod(namespace, label_selector="app=web")
        left = {pod.metadata.name for pod in pods.items}
        await apps.delete_namespaced_deployment("web", namespace, propagation_policy="Background")
        version = pods.metadata.resource_version
        async with events(
            core.list_namespaced_pod, namespace, label_selector="app=web", resource_version=version
        ) as stream:
            async for event in stream:
                if event["type"] == "DELETED":
                    left.discard(event["object"].metadata.name)
                if not left:
                    break
        assert not left

    run(talk)


def test_logs_are_read_and_followed(run: Run, namespace: str, talker: str) -> None:
    async def talk(api: client.ApiClient) -> None:
        core = client.CoreV1Api(api)
        assert "Serving HTTP" in await core.read_namespaced_pod_log(talker, namespace, container="main")
        answer = await core.read_namespaced_pod_log(
            talker, namespace, container="ticker", follow=True, tail_lines=1, _preload_content=False
        )
        lines = [(await answer.content.readline()).decode() for _ in range(4)]
        answer.close()
        numbers = [int(line.split()[1]) for line in lines]
        assert numbers == list(range(numbers[0], numbers[0] + 4))

    run(talk)


def test_a_command_is_executed_with_its_streams(
    kubeconfig: Path, run: Run, namespace: str, talker: str
) -> None:
    async def talk(_: client.ApiClient) -> None:
        settings = client.Configuration()
        await config.load_kube_config(str(kubeconfig), client_configuration=settings)
        async with WsApiClient(settings) as api:
            core = client.CoreV1Api(api)
            where: dict[str, Any] = {"name": talker, "namespace": namespace, "container": "main"}
            told = await core.connect_get_namespaced_pod_exec(
                **where, command=["echo", "hello"], stdout=True, stderr=True, stdin=False, tty=False
            )
            assert told == "hello\n"
            script = ["sh", "-c", "read a; echo got $a; echo err >&2; exit 4"]
            opening = await core.connect_get_namespaced_pod_exec(
                **where, command=script, stdin=True, stdout=True, stderr=True, _preload_content=False
            )
            said = {STDOUT_CHANNEL: b"", STDERR_CHANNEL: b"", ERROR_CHANNEL: b""}
            async with opening as socket:
                await socket.send_bytes(bytes([STDIN_CHANNEL]) + b"this\n")
                async for message in socket:
                    said[message.data[0]] += message.data[1:]
            assert (said[STDOUT_CHANNEL], said[STDERR_CHANNEL]) == (b"got this\n", b"err\n")
            assert WsApiClient.parse_error_data(said[ERROR_CHANNEL].decode()) == 4

    run(talk)


def test_a_custom_resource_is_defined_watched_and_has_a_status(run: Run, namespace: str) -> None:
    async def talk(api: client.ApiClient) -> None:
        definitions, custom = client.ApiextensionsV1Api(api), client.CustomObjectsApi(api)
        await definitions.create_custom_resource_definition(objects.definition(GROUP))
        one = f"metadata.name=widgets.{GROUP}"
        async with events(definitions.list_custom_resource_definition, field_selector=one) as stream:
            async for event in stream:
                if any(each.type == "Established" for each in event["object"].status.conditions or []):
                    break
        where = (GROUP, "v1", namespace, "widgets")
        await custom.create_namespaced_custom_object(*where, objects.widget(GROUP, "one", 3))
        listed = await custom.list_namespaced_custom_object(*where, label_selector="app=one")
        assert [each["spec"]["size"] for each in listed["items"]] == [3]
        options = {"_content_type": MERGE}
        await custom.patch_namespaced_custom_object(*where, "one", {"spec": {"size": 4}}, **options)
        await custom.patch_namespaced_custom_object_status(
            *where, "one", {"status": {"phase": "Fine"}}, **options
        )
        await custom.delete_namespaced_custom_object(*where, "one")
        seen = []
        async with events(
            custom.list_namespaced_custom_object,
            *where,
            resource_version=listed["metadata"]["resourceVersion"],
        ) as stream:
            async for event in stream:
                found = event["object"]
                seen.append((event["type"], found["spec"]["size"], found.get("status", {}).get("phase")))
                if event["type"] == "DELETED":
                    break
        assert seen == [("MODIFIED", 4, None), ("MODIFIED", 4, "Fine"), ("DELETED", 4, "Fine")]

    run(talk)


def test_the_dynamic_client_discovers_and_applies(run: Run, namespace: str) -> None:
    async def talk(api: client.ApiClient) -> None:
        found = await DynamicClient(api)
        maps = await found.resources.get(api_version="v1", kind="ConfigMap")
        body = objects.config_map("dynamic", colour="red")
        await maps.server_side_apply(body=body, namespace=namespace, field_manager="first")
        listed = await maps.get(namespace=namespace, label_selector="app=dynamic")
        assert [each.data.colour for each in listed.items] == ["red"]
        await maps.patch(body={"data": {"size": "3"}}, name="dynamic", namespace=namespace)
        await maps.delete(name="dynamic", namespace=namespace)
        seen = []
        version = listed.metadata.resourceVersion
        async for event in maps.watch(
            namespace=namespace, name="dynamic", resource_version=version, timeout=DEADLINE
        ):
            seen.append(event["type"])
            if event["type"] == "DELETED":
                break
        assert seen == ["MODIFIED", "DELETED"]

    run(talk)


def test_what_a_file_says_is_created(run: Run, namespace: str, tmp_path: Path) -> None:
    async def talk(api: client.ApiClient) -> None:
        file = tmp_path / "all.yaml"
        given = [objects.config_map("file", colour="red"), objects.deployment("file", replicas=0)]
        file.write_text(yaml.safe_dump_all(given))
        await utils.create_from_yaml(api, str(file), namespace=namespace)
        made = await client.AppsV1Api(api).read_namespaced_deployment("file", namespace)
        assert made.spec.strategy.type == "RollingUpdate"
        with pytest.raises(utils.FailToCreateError) as refused:
            await utils.create_from_yaml(api, str(file), namespace=namespace)
        causes = [cause for each in refused.value.api_exceptions for cause in each.api_exceptions]
        assert [cause.reason for cause in causes] == ["Conflict", "Conflict"]

    run(talk)


def test_a_leader_is_elected(run: Run, namespace: str) -> None:
    async def talk(api: client.ApiClient) -> None:
        led = asyncio.Event()

        async def lead() -> None:
            led.set()

        lock = LeaseLock("leader", namespace, "first", api)
        settings = electionconfig.Config(lock, 3, 2, 1, onstarted_leading=lead, onstopped_leading=None)
        election = asyncio.create_task(leaderelection.LeaderElection(settings).run())
        await led.wait()
        lease = await client.CoordinationV1Api(api).read_namespaced_lease("leader", namespace)
        assert lease.spec.holder_identity == "first"
        election.cancel()
        await asyncio.gather(election, return_exceptions=True)

    run(talk)
