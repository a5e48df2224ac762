"""A cluster of EKS rehearsed on this machine before there is one: shape, platform, the loss of a zone."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from leeward.base.clock import SystemClock, within
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import load_access
from leeward.kube.objects import Obj, is_condition_true
from leeward.kube.status import StatusError
from leeward.kube.wellknown import APP_NAME, NODE_GROUP, NODE_POWER, ZONE
from tests.live import Leeward

pytestmark = pytest.mark.e2e
SPEC = "clusters/prod-use1/cluster.yaml"
GROUPS = """\
  arm:
    {types: [m7g.large], per_zone: false, desired: 2, labels: {arch: arm}, taints: ["arch=arm:NoSchedule"]}
  batch:
    {types: [c7i.large], per_zone: false, spot: true, desired: 3, taints: ["dedicated=batch:NoSchedule"]}
"""
COMPOSE = """\
name: shop
services:
  web:
    image: web:1
    deploy: {replicas: 6, resources: {reservations: {cpus: "0.5", memory: 64M}}}
"""
CONTROLLERS = ("aws-load-balancer-controller", "cluster-autoscaler")


@pytest.fixture(scope="module")
def leeward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leeward]:
    """Return a leeward with a cluster in the shape of a spec; its directory is the repository of clusters."""
    root = tmp_path_factory.mktemp("rehearsal")
    tool = Leeward(root / "home", root / "repository")
    tool.ok("infra", "init", str(tool.directory), cwd=root)
    tool.ok("infra", "add", "prod-use1", "--region", "us-east-1")
    spec = tool.directory / SPEC
    text = spec.read_text().replace("node_groups:\n", f"node_groups:\n{GROUPS}")
    assert "    desired: 1\n" in text
    tool.write(SPEC, text.replace("    desired: 1\n", "    desired: 2\n"))
    tool.ok("cluster", "start", "--name", "reh", "--runtime", "simulated", "--from", str(spec.parent))
    yield tool
    tool.run("cluster", "delete", "--name", "reh", "--yes")


@pytest.fixture(autouse=True)
def kubeconfig(leeward: Leeward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the context of the cluster be the user's."""
    monkeypatch.setenv("KUBECONFIG", str(leeward.home / "reh/kubeconfig"))


def ask(leeward: Leeward, question: Callable[[KubeClient], Awaitable[Any]]) -> Any:
    """Return what the cluster's API answers to a question."""

    async def answer() -> Any:
        async with KubeClient(load_access(leeward.home / "reh/kubeconfig")) as api:
            return await within(SystemClock(), 30, question(api))  # type: ignore[arg-type]

    return asyncio.run(answer())


def ready(pods: list[Obj], name: str, without: str = "") -> list[str]:
    """Return the nodes of a service's Pods that are ready and not on nodes of one zone's names."""
    return [
        pod["spec"]["nodeName"]
        for pod in pods
        if pod["metadata"]["labels"].get(APP_NAME) == name
        and is_condition_true(pod, "Ready")
        and "deletionTimestamp" not in pod["metadata"]
        and not (without and pod["spec"]["nodeName"].rstrip("0123456789").endswith(f"-{without}"))
    ]


def platform(leeward: Leeward) -> str:
    return leeward.ok("infra", "platform", "prod-use1", "--apply", "--yes", "--context", "leeward-reh")


def test_the_platform_is_applied_once_and_tidied_up_and_asks_nobody_about_what_is_not_its_own(
    leeward: Leeward,
) -> None:
    assert "is up: 21 created, 0 changed, 0 as they were" in platform(leeward)
    assert "is up: 0 created, 0 changed, 21 as they were" in platform(leeward)

    async def look(api: KubeClient) -> tuple[Any, ...]:
        classes = await api.list("storageclasses.storage.k8s.io")
        assert [each["metadata"]["name"] for each in classes] == ["standard"]  # nothing here makes gp3
        secret = await api.get("secrets", "kube-system", "aws-load-balancer-tls")
        hooks = await api.get(
            "validatingwebhookconfigurations.admissionregistration.k8s.io", "", "aws-load-balancer-webhook"
        )
        service: Obj = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}
        meta = {"metadata": {"name": "a", "namespace": "default"}}
        await api.create("services", {**service, **meta})
        with pytest.raises(StatusError) as refused:  # a simulated controller answers nothing
            await api.create(
                "services", {**service, **meta, "spec": {**service["spec"], "type": "LoadBalancer"}}
            )
        params = {
            "apiVersion": "elbv2.k8s.aws/v1beta1",
            "kind": "IngressClassParams",
            "metadata": {"name": "p"},
        }
        with pytest.raises(StatusError) as wrong:
            await api.create("ingressclassparams.elbv2.k8s.aws", {**params, "spec": {"scheme": "public"}})
        return secret, hooks, str(refused.value), str(wrong.value)

    secret, hooks, refused, wrong = ask(leeward, look)
    bundles = {hook["clientConfig"]["caBundle"] for hook in hooks["webhooks"]}
    assert bundles == {secret["data"]["ca.crt"]}
    assert b"BEGIN CERTIFICATE" in base64.b64decode(secret["data"]["tls.crt"])
    assert "mservice.elbv2.k8s.aws" in refused
    assert "internet-facing" in wrong

    spec = leeward.directory / SPEC
    before = spec.read_text()
    leeward.write(SPEC, before + "autoscaler: none\n")
    told = platform(leeward)
    assert "removed Deployment cluster-autoscaler" in told
    assert "removed ServiceAccount cluster-autoscaler" in told
    listed = leeward.ok("infra", "platform", "prod-use1", "--output", "json")
    assert [row["component"] for row in json.loads(listed)] == ["aws-load-balancer-controller", "storage"]
    leeward.write(SPEC, before)


def test_a_zone_that_goes_leaves_its_pods_in_the_others_on_nodes_they_may_be_on(leeward: Leeward) -> None:
    platform(leeward)
    leeward.write("compose.yaml", COMPOSE)
    leeward.ok("up", "-d", "--cluster", "reh")

    async def lose(api: KubeClient) -> tuple[Any, ...]:
        nodes = {node["metadata"]["name"]: node["metadata"]["labels"] for node in await api.list("nodes")}
        before = ready(await api.list("pods"), "web")
        patch = {"metadata": {"annotations": {NODE_POWER: "off"}}}
        for name, labels in nodes.items():
            if labels[ZONE] == "us-east-1c":
                await api.patch("nodes", "", name, patch, patch_type="merge")
        while True:
            pods = await api.list("pods")
            web = ready(pods, "web", without="c")
            kept = {name: ready(pods, name, without="c") for name in CONTROLLERS}
            if len(web) == 6 and all(len(found) == 2 for found in kept.values()):
                return nodes, before, web, kept
            await SystemClock().sleep(0.2)

    nodes, before, after, kept = ask(leeward, lose)

    def zones(names: list[str]) -> Counter[str]:
        return Counter(nodes[name][ZONE].removeprefix("us-east-") for name in names)

    assert Counter(labels[NODE_GROUP] for labels in nodes.values()) == {"general": 6, "arm": 2, "batch": 3}
    assert zones(before) == {"1a": 2, "1b": 2, "1c": 2}
    assert zones(after) == {"1a": 3, "1b": 3}
    assert {nodes[name][NODE_GROUP] for name in (*before, *after)} == {"general"}
    assert all(set(zones(found)) == {"1a", "1b"} for found in kept.values())
