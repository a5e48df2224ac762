"""lightkube: typed models, generic resources, server-side apply by habit; the same on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube import ApiError, AsyncClient, Client, KubeConfig, codecs
from lightkube.generic_resource import create_resources_from_crd, load_in_cluster_generic_resources
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.operators import in_
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import CascadeType, PatchType

from tests.clients import objects
from tests.clients.objects import CLIENT, DEADLINE

pytestmark = CLIENT
GROUP = "lightkube.clients.leeward.dev"


@pytest.fixture(scope="module")
def client(kubeconfig: Path, namespace: str) -> Iterator[Any]:
    with Client(config=KubeConfig.from_file(str(kubeconfig)), namespace=namespace) as made:
        yield made


@pytest.fixture(scope="module")
def talker(client: Any) -> str:
    client.create(Pod.from_dict(objects.talker()))
    ready = client.wait(Pod, "talker", for_conditions=["Ready"], raise_for_conditions=["DisruptionTarget"])
    return str(ready.metadata.name)


def wait_until_gone(client: Any, kind: Any, version: str, **labels: str) -> None:
    """Watch until nothing with the labels is left of what was there in a version."""
    if not list(client.list(kind, labels=labels)):
        return
    for event, _ in client.watch(kind, labels=labels, resource_version=version):
        if event == "DELETED" and not list(client.list(kind, labels=labels)):
            return


def test_an_object_is_created_listed_watched_patched_and_deleted(client: Any) -> None:
    before = client.list(ConfigMap, labels={"app": in_(["shop"])})
    assert list(before) == []
    made = ConfigMap(metadata=ObjectMeta(name="shop", labels={"app": "shop"}), data={"colour": "red"})
    client.create(made)
    seen = []
    for event, found in client.watch(
        ConfigMap, labels={"app": "shop"}, resource_version=before.resourceVersion
    ):
        seen.append((event, found.data["colour"]))
        if event == "ADDED":
            client.patch(ConfigMap, "shop", {"data": {"colour": "blue"}})
        elif event == "MODIFIED":
            client.delete(ConfigMap, "shop")
        else:
            break
    assert seen == [("ADDED", "red"), ("MODIFIED", "blue"), ("DELETED", "blue")]
    with pytest.raises(ApiError) as missing:
        client.get(ConfigMap, "shop")
    assert missing.value.status.reason == "NotFound"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (PatchType.JSON, [{"op": "replace", "path": "/data/colour", "value": "blue"}]),
        (PatchType.MERGE, {"data": {"colour": "blue"}}),
        (PatchType.STRATEGIC, {"data": {"colour": "blue"}}),
    ],
    ids=["json", "merge", "strategic"],
)
def test_patches_of_every_kind_are_taken(client: Any, kind: PatchType, body: Any) -> None:
    name = str(kind.name).lower()
    client.create(ConfigMap.from_dict(objects.config_map(name, colour="red", size="2")))
    assert client.patch(ConfigMap, name, body, patch_type=kind).data == {"colour": "blue", "size": "2"}
    client.set(ConfigMap, name, labels={"app": None, "tier": "front"}, annotations={"note": "kept"})
    meta = client.get(ConfigMap, name).metadata
    assert (meta.labels, meta.annotations) == ({"tier": "front"}, {"note": "kept"})


def test_a_second_field_manager_conflicts_until_it_forces(client: Any) -> None:
    red, blue = (ConfigMap.from_dict(objects.config_map("applied", colour=it)) for it in ("red", "blue"))
    assert client.apply(red, field_manager="first").data == {"colour": "red"}
    with pytest.raises(ApiError, match='conflict with "first"') as refused:
        client.apply(blue, field_manager="second")
    assert refused.value.status.details.causes[0].field == ".data.colour"
    rehearsed = client.apply(blue, field_manager="second", force=True, dry_run=True)
    assert rehearsed.data == {"colour": "blue"}
    assert client.get(ConfigMap, "applied").data == {"colour": "red"}
    assert client.apply(blue, field_manager="second", force=True).data == {"colour": "blue"}


def test_a_deployment_becomes_available_scales_and_goes_with_its_pods(client: Any) -> None:
    client.create(Deployment.from_dict(objects.deployment("web")))
    client.wait(Deployment, "web", for_conditions=["Available"])
    container = {"name": "main", "env": [{"name": "COLOUR", "value": "blue"}]}
    patched = client.patch(Deployment, "web", {"spec": {"template": {"spec": {"containers": [container]}}}})
    assert patched.spec.template.spec.containers[0].image == "busybox"  # merged by name, not replaced
    scale = Deployment.Scale(metadata=ObjectMeta(name="web"), spec=ScaleSpec(replicas=2))
    assert client.replace(scale, "web").spec.replicas == 2
    for _, found in client.watch(Deployment, fields={"metadata.name": "web"}):
        if found.status.updatedReplicas == found.status.availableReplicas == found.status.replicas == 2:
            break
    pods = client.list(Pod, labels={"app": "web"}, chunk_size=1)
    assert len(list(pods)) == 2
    client.delete(Deployment, "web", cascade=CascadeType.FOREGROUND)
    wait_until_gone(client, Pod, pods.resourceVersion, app="web")


def test_logs_are_read_and_followed(client: Any, talker: str) -> None:
    assert any("Serving HTTP" in line for line in client.log(talker, container="main"))
    following = client.log(talker, container="ticker", follow=True, tail_lines=1, newlines=False)
    numbers = [int(line.split()[1]) for line, _ in zip(following, range(4), strict=False)]
    assert numbers == list(range(numbers[0], numbers[0] + 4))


def test_a_command_is_executed_with_its_streams(client: Any, talker: str) -> None:
    script = ["sh", "-c", "read a; echo got $a; echo err >&2; exit 4"]
    told = client.exec(
        talker, container="main", command=script, stdin="this\n", stdout=True, stderr=True, timeout=DEADLINE
    )
    assert told == ("got this\n", "err\n", 4)


def test_a_custom_resource_is_defined_watched_scaled_and_has_a_status(client: Any) -> None:
    definition = client.create(CustomResourceDefinition.from_dict(objects.definition(GROUP)))
    client.wait(CustomResourceDefinition, f"widgets.{GROUP}", for_conditions=["Established"])
    create_resources_from_crd(definition)
    load_in_cluster_generic_resources(client)
    one = codecs.from_dict(objects.widget(GROUP, "one", 3))
    widget = type(one)
    version = client.create(one).metadata.resourceVersion
    assert [each.spec["size"] for each in client.list(widget, labels={"app": "one"})] == [3]
    client.patch(widget.Scale, "one", {"spec": {"replicas": 4}}, patch_type=PatchType.MERGE)
    client.patch(widget.Status, "one", {"status": {"phase": "Fine"}}, patch_type=PatchType.MERGE)
    client.delete(widget, "one")
    seen = []
    for event, found in client.watch(widget, resource_version=version):
        seen.append((event, found.spec["size"], (found.get("status") or {}).get("phase")))
        if event == "DELETED":
            break
    assert seen == [("MODIFIED", 4, None), ("MODIFIED", 4, "Fine"), ("DELETED", 4, "Fine")]


def test_what_a_file_says_is_applied_again_and_again(client: Any) -> None:
    text = yaml.safe_dump_all([objects.config_map("file", colour="red"), objects.deployment("file", 0)])
    for _ in range(2):
        kinds = [
            type(client.apply(each, field_manager="file")).__name__ for each in codecs.load_all_yaml(text)
        ]
        assert kinds == ["ConfigMap", "Deployment"]
    assert client.get(Deployment, "file").metadata.generation == 1


def test_the_same_works_on_asyncio(kubeconfig: Path, namespace: str, talker: str) -> None:
    async def talk() -> None:
        config = KubeConfig.from_file(str(kubeconfig))
        async with AsyncClient(config=config, namespace=namespace) as client:
            before = client.list(ConfigMap, labels={"app": "aio"})
            assert [each async for each in before] == []
            await client.create(ConfigMap.from_dict(objects.config_map("aio", colour="red")))
            seen = []
            async for event, _ in client.watch(
                ConfigMap, labels={"app": "aio"}, resource_version=before.resourceVersion
            ):
                seen.append(event)
                if event == "DELETED":
                    break
                await client.delete(ConfigMap, "aio")
            assert seen == ["ADDED", "DELETED"]
            await client.wait(Pod, talker, for_conditions=["Ready"])
            told = await client.exec(talker, container="main", command=["echo", "hello"], stdout=True)
            assert (told.stdout, told.exit_code) == ("hello\n", 0)
            following = client.log(talker, container="ticker", follow=True, tail_lines=1)
            async for line in following:
                assert line.startswith("tick ")
                break

    async def in_time() -> None:
        async with asyncio.timeout(DEADLINE):
            await talk()

    asyncio.run(in_time())
