"""What holds whatever happens: budgets, and owners."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.controllers.disruption import controller as disruption
from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.framework.manager import ControllerManager
from leeward.cluster.controllers.garbagecollector import controller as garbagecollector
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, is_condition_true, is_terminating, owner_reference
from leeward.kube.status import NotFoundError, StatusError, TooManyRequestsError

PODS = 6
SETTINGS = "configmaps"


def plane(*descriptors: ControllerDescriptor) -> tuple[Any, VirtualClock]:
    clock, ids = VirtualClock(), SeededIds(3)
    registry = Registry(
        MemoryStore(), clock=clock, ids=ids, options=AdmissionOptions(disabled=("ServiceAccount",))
    )
    bootstrap(registry, api_address="127.0.0.1", api_port=6443)
    client = registry.client("system:admin")
    client.create("namespaces", {"metadata": {"name": "shop"}})
    context = ControllerContext(client=client, clock=clock, ids=ids)
    ControllerManager([(each.name, each.build(context)) for each in descriptors], client, clock).start()
    return client, clock


def set_ready(client: Any, number: int, *, ready: bool) -> None:
    with contextlib.suppress(NotFoundError):
        pod = client.get("pods", "shop", f"web-{number}")
        conditions = [{"type": "Ready", "status": str(ready)}]
        client.update_status(
            "pods", {**pod, "status": {**pod["status"], "phase": "Running", "conditions": conditions}}
        )


def healthy(client: Any) -> int:
    pods = client.list("pods", "shop")
    return sum(is_condition_true(pod, "Ready") and not is_terminating(pod) for pod in pods)


_STEPS = st.one_of(
    st.tuples(st.just("evict"), st.integers(0, PODS - 1)),
    st.tuples(st.just("ready"), st.integers(0, PODS - 1)),
    st.tuples(st.just("unready"), st.integers(0, PODS - 1)),
    st.tuples(st.just("wait"), st.just(0)),
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, PODS), st.lists(_STEPS, max_size=25))
def test_no_eviction_of_a_ready_pod_takes_a_budget_below_its_minimum(
    least: int, steps: list[tuple[str, int]]
) -> None:
    client, clock = plane(disruption.DESCRIPTOR)
    for number in range(PODS):
        meta = {"name": f"web-{number}", "namespace": "shop", "labels": {"app": "web"}}
        spec = {"nodeName": "node-a1", "containers": [{"name": "c", "image": "web"}]}
        client.create("pods", {"metadata": meta, "spec": spec})
        set_ready(client, number, ready=True)
    budget: Obj = {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}}
    client.create(disruption.BUDGETS, {"metadata": {"name": "web", "namespace": "shop"}, "spec": budget})
    clock.advance(1)
    for what, number in steps:
        if what == "evict":
            pod = client.find("pods", "shop", f"web-{number}")
            counts = pod is not None and is_condition_true(pod, "Ready") and not is_terminating(pod)
            with contextlib.suppress(TooManyRequestsError, NotFoundError):
                client.evict("shop", f"web-{number}")
                assert not counts or healthy(client) >= least
        elif what == "wait":
            clock.advance(1)
        else:
            set_ready(client, number, ready=what == "ready")
            clock.advance(0.1)


def make(client: Any, number: int, owners: list[Obj]) -> Obj:
    references = [owner_reference(owner, controller=False) for owner in owners]
    meta = {"name": f"object-{number}", "namespace": "shop", "ownerReferences": references}
    made: Obj = client.create(SETTINGS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    return made


_OWNERS = st.lists(st.lists(st.integers(0, 30), max_size=3, unique=True), min_size=1, max_size=15)
_DELETIONS = st.lists(
    st.tuples(st.integers(0, 14), st.sampled_from(["Background", "Foreground", "Orphan"])), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(_OWNERS, _DELETIONS)
def test_nothing_stays_that_has_owners_of_which_none_is_there(
    owners: list[list[int]], deletions: list[tuple[int, str]]
) -> None:
    client, clock = plane(garbagecollector.DESCRIPTOR)
    made: list[Obj] = []
    for number, above in enumerate(owners):
        known = list(dict.fromkeys(each % number for each in above)) if number else []
        made.append(make(client, number, [made[each] for each in known]))
    clock.advance(1)
    for number, propagation in deletions:
        with contextlib.suppress(StatusError):
            client.delete(SETTINGS, "shop", f"object-{number}", propagation=propagation)
        clock.advance(0.01)
    clock.advance(60)
    left = [each for each in client.list(SETTINGS, "shop") if each["metadata"]["name"].startswith("object-")]
    uids = {each["metadata"]["uid"] for each in left}
    for each in left:
        assert not is_terminating(each)
        named = {reference["uid"] for reference in each["metadata"].get("ownerReferences") or ()}
        assert not named or named & uids
