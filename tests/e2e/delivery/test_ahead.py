"""What a real API server says before a promotion: who owns fields, what was changed, what was put there."""

from __future__ import annotations

import copy

import pytest

from leeward.delivery.environments.environment import Environment
from leeward.delivery.promotion.rollout import Where
from leeward.delivery.promotion.standing import difference, look_ahead
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import Obj
from tests.e2e.delivery.shop import objects_of, request
from tests.e2e.delivery.test_promotions import make_environment, on_cluster, promote

pytestmark = pytest.mark.e2e
DEPLOYMENTS = "deployments.apps"


async def begin(api: KubeClient, name: str) -> tuple[Environment, list[Obj], Where]:
    """Promote the first version into a new environment."""
    me, namespace = await make_environment(api, name), f"shop-{name}"
    wanted = request(name, "1", objects_of(namespace, "1"), me)
    await promote(api, wanted)
    environment = Environment(name=name, app="shop", namespace=namespace, promotion=f"{name}-00001")
    return environment, objects_of(namespace, "1"), wanted.where


async def scale(api: KubeClient, namespace: str, replicas: int, manager: str) -> None:
    """Write the number of replicas as another field manager."""
    await api.request(
        "PATCH",
        f"/apis/apps/v1/namespaces/{namespace}/deployments/web",
        body={"spec": {"replicas": replicas}},
        params={"fieldManager": manager},
        headers={"content-type": "application/merge-patch+json"},
    )


def test_what_was_left_alone_has_nothing_against_the_next_release(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        environment, before, where = await begin(api, "quiet")
        after = objects_of(environment.namespace, "2")
        found = await look_ahead(api, environment, after, before, where)
        assert [*found.put_back, *found.taken, *found.blocked] == []
        drifted = await difference(api, environment, before)
        assert [*drifted.drifted, *drifted.added, *drifted.hidden] == []

    on_cluster(access, story)


def test_an_owner_of_a_field_is_found_before_anything_is_written(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        environment, before, where = await begin(api, "owner")
        await scale(api, environment.namespace, 5, "somebody")
        after = objects_of(environment.namespace, "2")
        (found,) = (await look_ahead(api, environment, after, before, where)).blocked
        assert found.message == "Deployment web: replicas 2 → 5, owned by somebody"
        live = await api.get(DEPLOYMENTS, environment.namespace, "web")
        image = live["spec"]["template"]["spec"]["containers"][0]["image"]
        assert (live["spec"]["replicas"], image) == (5, "shop:1")

    on_cluster(access, story)


def test_what_is_missing_is_put_back_and_what_is_foreign_stops_it(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        environment, before, where = await begin(api, "gone")
        await api.delete("configmaps", environment.namespace, "config-1")
        mine = copy.deepcopy(before[-1])
        mine["metadata"] = {"name": "mine", "namespace": environment.namespace}
        await api.create(DEPLOYMENTS, mine)
        after = [*before, {**before[-1], "metadata": {**before[-1]["metadata"], "name": "mine"}}]
        found = await look_ahead(api, environment, after, before, where)
        assert list(found.put_back) == ["ConfigMap config-1: is missing"]
        assert [each.message for each in found.blocked] == [
            "Deployment mine of shop-gone is not of gone: something else put it there"
        ]
        added = (await difference(api, environment, before)).added
        assert [str(each) for each in added] == [
            "Deployment mine: was added by leeward; no promotion applied it"
        ]

    on_cluster(access, story)
