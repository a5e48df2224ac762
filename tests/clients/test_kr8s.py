"""kr8s: objects that know how to wait, scale and watch themselves, synchronously and on asyncio."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import kr8s
import kr8s.asyncio
import pytest
import yaml
from kr8s._async_utils import Portal
from kr8s.objects import ConfigMap, CustomResourceDefinition, Deployment, Pod, new_class, objects_from_files

from tests.clients import objects
from tests.clients.objects import CLIENT, DEADLINE

pytestmark = [*CLIENT, pytest.mark.filterwarnings("ignore:Kubernetes version:UserWarning")]  # it knows 1.35
GROUP = "kr8s.clients.leeward.dev"


@pytest.fixture(scope="module")
def api(kubeconfig: Path, namespace: str) -> Iterator[Any]:
    found = kr8s.api(kubeconfig=str(kubeconfig), namespace=namespace)
    yield found
    Portal().call(found._session.aclose)  # kr8s itself never closes connections


@pytest.fixture(scope="module")
def talker(api: Any) -> Any:
    pod = Pod(objects.talker(), api=api)
    pod.create()
    pod.wait("condition=Ready", timeout=DEADLINE)
    assert pod.ready()
    return pod


def test_the_server_says_what_it_is_and_who_asks(api: Any) -> None:
    assert api.version()["gitVersion"].startswith("v1.36")
    assert api.whoami()
    assert {"Deployment", "Lease"} <= {each["kind"] for each in api.api_resources()}
    assert "apps/v1" in list(api.api_versions())


def test_an_object_is_created_listed_watched_patched_and_deleted(api: Any, namespace: str) -> None:
    assert list(api.get("configmaps", label_selector={"app": "shop"})) == []
    made = ConfigMap(objects.config_map("shop", colour="red"), api=api)
    made.create()
    since = str(int(made.metadata.resourceVersion) - 1)
    seen = []
    for kind, found in api.watch("configmaps", label_selector={"app": "shop"}, since=since):
        seen.append((kind, found.data.colour))
        if kind == "ADDED":
            made.patch({"data": {"colour": "blue"}})
        elif kind == "MODIFIED":
            made.delete()
        else:
            break
    assert seen == [("ADDED", "red"), ("MODIFIED", "blue"), ("DELETED", "blue")]
    made.wait("delete", timeout=DEADLINE)
    assert not made.exists()
    with pytest.raises(kr8s.NotFoundError):
        ConfigMap.get("shop", namespace=namespace, api=api)


def test_patches_labels_and_annotations_are_taken(api: Any) -> None:
    made = ConfigMap(objects.config_map("patched", colour="red", size="2"), api=api)
    made.create()
    made.patch([{"op": "replace", "path": "/data/colour", "value": "blue"}], type="json")
    made.patch({"data": {"size": None}})
    made.label(tier="front")
    made.annotate(note="kept")
    made.remove_label("app")
    made.refresh()
    assert made.data == {"colour": "blue"}
    assert (made.labels, made.annotations) == ({"tier": "front"}, {"note": "kept"})


def test_a_deployment_becomes_ready_scales_and_goes_with_its_pods(api: Any) -> None:
    web = Deployment(objects.deployment("web"), api=api)
    web.create()
    web.wait("condition=Available", timeout=DEADLINE)
    web.scale(2)
    web.wait("jsonpath='{.status.readyReplicas}'=2", timeout=DEADLINE)
    assert web.ready()
    pods = web.pods()
    assert len(pods) == 2
    web.delete(propagation_policy="Foreground")
    web.wait("delete", timeout=DEADLINE)
    for pod in pods:
        pod.wait("delete", timeout=DEADLINE)


def test_logs_are_read_and_followed(talker: Any) -> None:
    assert any("Serving HTTP" in line for line in talker.logs(container="main"))
    following = talker.logs(container="ticker", follow=True, tail_lines=1, timeout=DEADLINE)
    numbers = [int(line.split()[1]) for line, _ in zip(following, range(4), strict=False)]
    assert numbers == list(range(numbers[0], numbers[0] + 4))


def test_a_command_is_executed_with_its_streams(talker: Any) -> None:
    told = talker.exec(["sh", "-c", "echo out; echo err >&2; exit 4"], container="main", check=False)
    assert (told.stdout, told.stderr, told.returncode) == (b"out\n", b"err\n", 4)


def test_a_port_is_forwarded(talker: Any) -> None:
    with (
        talker.portforward(remote_port=8000, local_port="auto") as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer,
    ):
        assert answer.read() == b"hello\n"


def test_a_custom_resource_is_defined_watched_scaled_and_has_a_status(api: Any) -> None:
    definition = CustomResourceDefinition(objects.definition(GROUP), api=api)
    definition.create()
    definition.wait("condition=Established", timeout=DEADLINE)
    widget = new_class(
        "Widget", f"{GROUP}/v1", asyncio=False, namespaced=True, scalable=True, scalable_spec="size"
    )
    one = widget(objects.widget(GROUP, "one", 3), api=api)
    one.create()
    (found,) = api.get(f"widgets.{GROUP}", label_selector="app=one")
    assert found.spec.size == 3
    one.scale(4)
    one.patch({"status": {"phase": "Fine"}}, subresource="status")
    one.delete()
    seen = []
    for kind, _ in found.watch():  # from the version that it was read in
        seen.append((kind, found.spec.size, found.raw.get("status", {}).get("phase")))
        if kind == "DELETED":
            break
    assert seen == [("MODIFIED", 4, None), ("MODIFIED", 4, "Fine"), ("DELETED", 4, "Fine")]


def test_what_a_file_says_is_created_and_an_owner_takes_it_along(api: Any, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    given = [objects.config_map("owner", colour="red"), objects.config_map("owned", colour="red")]
    file.write_text(yaml.safe_dump_all(given))
    owner, owned = objects_from_files(file, api=api)
    api.create([owner, owned])
    owner.refresh()
    owner.adopt(owned)
    assert owned.metadata.ownerReferences[0].uid == owner.metadata.uid
    owner.delete()
    owned.wait("delete", timeout=DEADLINE)


def test_the_same_works_on_asyncio(kubeconfig: Path, namespace: str, talker: Any) -> None:
    async def talk() -> None:
        api = await kr8s.asyncio.api(kubeconfig=str(kubeconfig), namespace=namespace)
        pod = await kr8s.asyncio.objects.Pod.get(talker.name, api=api)
        assert await pod.ready()
        assert (await pod.exec(["echo", "hello"], container="main")).stdout == b"hello\n"
        made = await kr8s.asyncio.objects.ConfigMap(objects.config_map("aio", colour="red"), api=api)
        await made.create()
        kept = await kr8s.asyncio.objects.ConfigMap.get("aio", api=api)
        await made.delete()
        assert [kind async for kind in first(kept.watch())] == ["DELETED"]
        await api._session.aclose()

    async def first(watch: Any) -> AsyncIterator[str]:
        async for kind, _ in watch:
            yield kind
            return

    async def in_time() -> None:
        async with asyncio.timeout(DEADLINE):
            await talk()

    asyncio.run(in_time())
