"""Promotions on a real cluster: they succeed, fail and go back, and go on after any crash."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from leeward.base.clock import SystemClock
from leeward.base.errors import OperationError
from leeward.delivery import records
from leeward.delivery.installing import ensure_definitions
from leeward.delivery.promotion.promoter import Holder, Promoter, PromotionFailedError, Request
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import Obj
from tests.e2e.delivery.shop import KilledError, Mortal, Shaky, check_of, objects_of, releases_live, request

pytestmark = pytest.mark.e2e
_ALL = os.environ.get("LEEWARD_KILL_POINTS") == "all"
HUB = records.hub_of("shop")
NOBODY = Holder("test/host/1/a", is_dead=lambda _: True)  # whoever was at work before has died


async def make_environment(api: KubeClient, name: str) -> str:
    """Make an environment and the hub; returns by what name the cluster knows us."""
    await ensure_definitions(api)
    if await api.find("namespaces", "", HUB) is None:
        await api.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HUB}})
    spec = {"app": "shop", "namespace": f"shop-{name}", "content": ""}
    await api.create(records.ENVIRONMENTS, records.record("Environment", "shop", name, spec))
    head = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    seen = await api.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=head)
    return str(seen["status"]["userInfo"]["username"])


async def promote(api: Any, wanted: Request, holder: Holder = NOBODY) -> Obj:
    return await Promoter(api, SystemClock(), wanted, lambda _: None).run(holder)


def on_cluster(access: Access, work: Callable[[KubeClient], Awaitable[None]]) -> None:
    async def run() -> None:
        async with KubeClient(access) as api:
            await work(api)

    asyncio.run(run())


async def status_of(api: KubeClient, name: str) -> Obj:
    found = await api.get(records.ENVIRONMENTS, HUB, name)
    status: Obj = found.get("status") or {}
    return status


def test_a_release_enters_the_next_takes_its_place_and_what_left_goes(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "plain")
        one = request("plain", "1", objects_of("shop-plain", "1"), me, checks=[check_of(0)])
        first = await promote(api, one)
        assert (first["metadata"]["name"], first["status"]["phase"]) == ("plain-00001", "Succeeded")
        assert await api.find("configmaps", "shop-plain", "config-1") is not None
        two = request("plain", "2", objects_of("shop-plain", "2"), me)
        await promote(api, two)
        status = await status_of(api, "plain")
        assert [each["release"] for each in status["verified"]] == [two.release, one.release]
        assert await releases_live(api, "shop-plain") == {two.release}
        assert await api.find("configmaps", "shop-plain", "config-1") is not None  # to go back with
        await promote(api, request("plain", "3", objects_of("shop-plain", "3"), me))
        assert await api.find("configmaps", "shop-plain", "config-1") is None

    on_cluster(access, story)


@pytest.mark.parametrize(
    ("name", "more", "told"),
    [
        ("checked", {"checks": [check_of(3)]}, "test failed"),
        ("broken", {"fails": True, "timeout": 3.0}, "does not come up|not up after 3 s"),
    ],
)
def test_a_release_that_is_not_good_leaves_everything_as_it_was(
    access: Access, name: str, more: dict[str, Any], told: str
) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, name)
        namespace = f"shop-{name}"
        one = request(name, "1", objects_of(namespace, "1"), me)
        await promote(api, one)
        bad = objects_of(namespace, "2", fails=more.pop("fails", False))
        with pytest.raises(PromotionFailedError, match=told):
            await promote(api, request(name, "2", bad, me, **more))
        assert await releases_live(api, namespace) == {one.release}
        assert (await status_of(api, name))["release"] == one.release
        assert await api.find("configmaps", namespace, "config-2") is None
        found = await api.get(records.PROMOTIONS, HUB, f"{name}-00002")
        assert found["status"]["phase"] == "RolledBack"
        assert (await promote(api, request(name, "3", objects_of(namespace, "3"), me)))["status"][
            "phase"
        ] == "Succeeded"

    on_cluster(access, story)


async def _count_writes(api: KubeClient, name: str, me: str, *, fails: bool) -> int:
    namespace = f"shop-{name}"
    await promote(api, request(name, "1", objects_of(namespace, "1"), me))
    mortal = Mortal(api)
    try:
        await promote(
            mortal, request(name, "2", objects_of(namespace, "2"), me, checks=[check_of(int(fails))])
        )
    except PromotionFailedError:
        assert fails
    return mortal.writes


@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_who_is_killed_at_any_write_and_comes_back_finishes_or_undoes(
    access: Access, fails: bool, done: bool
) -> None:
    async def story(api: KubeClient) -> None:
        base = f"kill-{'f' if fails else 's'}{'a' if done else 'b'}"
        me = await make_environment(api, base)
        writes = await _count_writes(api, base, me, fails=fails)
        assert writes >= 8
        turns = asyncio.Semaphore(6)

        async def one_life(at: int) -> None:
            async with turns:
                await _killed_at(api, f"{base}{at}", at, done=done, fails=fails)

        # Every write, once before or after it; LEEWARD_KILL_POINTS=all takes both for each.
        first, step = (1, 1) if _ALL else (1 + done, 2)
        await asyncio.gather(*map(one_life, range(first, writes + 1, step)))

    on_cluster(access, story)


async def _killed_at(api: KubeClient, name: str, at: int, *, done: bool, fails: bool) -> None:
    me, namespace = await make_environment(api, name), f"shop-{name}"
    one = request(name, "1", objects_of(namespace, "1"), me)
    await promote(api, one)
    two = request(name, "2", objects_of(namespace, "2"), me, checks=[check_of(int(fails))])
    with pytest.raises(KilledError):
        await promote(Mortal(api, at, done=done), two)
    try:
        await promote(api, two)
        wanted = two.release
    except PromotionFailedError:
        wanted = one.release
    assert wanted == (one.release if fails else two.release), at
    assert await releases_live(api, namespace) == {wanted}, at
    assert (await status_of(api, name))["release"] == wanted, at


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_connection_that_is_lost_at_any_write_is_waited_for(access: Access, done: bool) -> None:
    async def story(api: KubeClient) -> None:
        base = f"shaky-{'a' if done else 'b'}"
        me = await make_environment(api, base)
        writes = await _count_writes(api, base, me, fails=False)
        turns = asyncio.Semaphore(6)

        async def one_life(at: int) -> None:
            name = f"{base}{at}"
            async with turns:
                await make_environment(api, name)
                await promote(api, request(name, "1", objects_of(f"shop-{name}", "1"), me))
                two = request(name, "2", objects_of(f"shop-{name}", "2"), me, checks=[check_of(0)])
                assert (await promote(Shaky(api, at, done=done), two))["status"]["phase"] == "Succeeded", at
                assert await api.find(records.PROMOTIONS, HUB, f"{name}-00003") is None, at

        await asyncio.gather(*map(one_life, range(1, writes + 1)))

    on_cluster(access, story)


def test_an_unfinished_promotion_is_undone_before_another_release_enters(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "other")
        await promote(api, request("other", "1", objects_of("shop-other", "1"), me))
        with pytest.raises(KilledError):
            await promote(Mortal(api, 6), request("other", "2", objects_of("shop-other", "2"), me))
        three = request("other", "3", objects_of("shop-other", "3"), me)
        await promote(api, three)
        assert (await api.get(records.PROMOTIONS, HUB, "other-00002"))["status"]["phase"] == "RolledBack"
        assert await releases_live(api, "shop-other") == {three.release}
        assert await api.find("configmaps", "shop-other", "config-2") is None

    on_cluster(access, story)


def test_two_at_a_time_exclude_each_other(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "twice")
        await promote(api, request("twice", "1", objects_of("shop-twice", "1"), me))
        holders = [Holder(f"{name}/host/1/x") for name in ("jane", "joe")]
        wanted = [request("twice", text, objects_of("shop-twice", text), me) for text in ("2", "3")]
        found = await asyncio.gather(*map(promote, (api, api), wanted, holders), return_exceptions=True)
        (error,) = [each for each in found if isinstance(each, BaseException)]
        assert isinstance(error, OperationError)
        assert "is changing twice at this moment" in str(error)
        assert len(await releases_live(api, "shop-twice")) == 1

    on_cluster(access, story)


def test_what_others_own_is_a_conflict_that_is_told_and_taken_over_when_asked(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "owned")
        one = request("owned", "1", objects_of("shop-owned", "1"), me)
        await promote(api, one)
        path = "/apis/apps/v1/namespaces/shop-owned/deployments/web"
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {"replicas": 5},
        }
        await api.request(
            "PATCH", path, body=body, params={"fieldManager": "somebody", "force": "true"},
            headers={"content-type": "application/apply-patch+yaml"},
        )  # fmt: skip
        with pytest.raises(
            PromotionFailedError, match=r"Deployment web: somebody changed what leeward would write"
        ):
            await promote(api, request("owned", "2", objects_of("shop-owned", "2"), me))
        assert (await api.get("deployments.apps", "shop-owned", "web"))["spec"]["replicas"] == 5  # not ours

    on_cluster(access, story)


def test_what_was_done_is_in_the_audit_trail_once(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "told")
        await promote(api, request("told", "1", objects_of("shop-told", "1"), me))
        found = [
            each["spec"] for each in await api.list(records.AUDIT_RECORDS, HUB)
            if each["spec"].get("environment") == "told"
        ]  # fmt: skip
        assert [(each["action"], each["result"], each["by"]) for each in found] == [
            ("promote", "succeeded", me)
        ]

    on_cluster(access, story)


def test_what_somebody_else_put_there_is_not_touched_not_even_by_going_back(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "shared")
        namespace = "shop-shared"
        *_, web = objects_of(namespace, "0")
        await api.create(
            "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        )
        await api.create("deployments.apps", web)
        with pytest.raises(PromotionFailedError, match="Deployment web of shop-shared is not of shared"):
            await promote(api, request("shared", "1", objects_of(namespace, "1"), me))
        assert (await api.get("deployments.apps", namespace, "web"))["spec"]["replicas"] == 2
        assert await api.find("configmaps", namespace, "config-1") is None

    on_cluster(access, story)


def test_an_environment_that_was_written_anew_goes_back_to_what_it_ran(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "anew")
        one = request("anew", "1", objects_of("shop-anew", "1"), me)
        await promote(api, one)
        live = await api.get(records.ENVIRONMENTS, HUB, "anew")
        await api.delete(records.ENVIRONMENTS, HUB, "anew")
        meta = {key: live["metadata"][key] for key in ("name", "namespace", "labels")}
        await api.create(records.ENVIRONMENTS, {**live, "metadata": meta})
        bad = request("anew", "2", objects_of("shop-anew", "2"), me, checks=[check_of(1)], runs="")
        with pytest.raises(PromotionFailedError):
            await promote(api, bad)
        assert await releases_live(api, "shop-anew") == {one.release}

    on_cluster(access, story)


def test_what_cannot_be_undone_is_superseded_by_what_comes_next(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "stuck")
        await promote(api, request("stuck", "1", objects_of("shop-stuck", "1"), me))
        with pytest.raises(KilledError):
            await promote(Mortal(api, 7), request("stuck", "2", objects_of("shop-stuck", "2"), me))
        await api.delete("configmaps", "shop-stuck", "leeward-promotion-stuck-00001")
        three = request("stuck", "3", objects_of("shop-stuck", "3"), me)
        await promote(api, three)
        assert (await api.get(records.PROMOTIONS, HUB, "stuck-00002"))["status"]["phase"] == "Superseded"
        assert await releases_live(api, "shop-stuck") == {three.release}

    on_cluster(access, story)


def test_what_was_decided_about_another_state_is_not_done(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "stale")
        await promote(api, request("stale", "1", objects_of("shop-stale", "1"), me))
        await promote(api, request("stale", "2", objects_of("shop-stale", "2"), me))
        late = request("stale", "3", objects_of("shop-stale", "3"), me, runs="stale-00001")
        with pytest.raises(OperationError, match="stale was changed by somebody else since you looked"):
            await promote(api, late)
        lock = {"status": {"lock": {"by": "jo", "reason": "r", "at": "2026-01-01T00:00:00Z"}}}
        await api.patch(records.ENVIRONMENTS, HUB, "stale", lock, patch_type="merge", subresource="status")
        with pytest.raises(OperationError, match="stale was locked by jo: r"):
            await promote(api, request("stale", "3", objects_of("shop-stale", "3"), me, runs="stale-00002"))

    on_cluster(access, story)


def test_a_refused_verification_is_undone_too(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "quota")
        one = request("quota", "1", objects_of("shop-quota", "1"), me)
        await promote(api, one)
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "few", "namespace": "shop-quota"},
            "spec": {"hard": {"count/jobs.batch": "1"}},
        }
        await api.create("resourcequotas", quota)
        await asyncio.sleep(1)  # until it is counted
        two = request("quota", "2", objects_of("shop-quota", "2"), me, checks=[check_of(0)])
        with pytest.raises(PromotionFailedError, match="exceeded quota"):
            await promote(api, two)
        assert await releases_live(api, "shop-quota") == {one.release}

    on_cluster(access, story)
