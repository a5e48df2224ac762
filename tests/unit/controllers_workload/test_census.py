"""What is counted step by step is what counting all of them again would find."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.controllers.framework.census import Census, Count
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, owner_reference

_STEPS = st.tuples(
    st.sampled_from(("make", "ready", "unready", "fail", "delete", "remove", "label", "release", "count")),
    st.integers(0, 4),
)
_SELECTOR = {"matchLabels": {"app": "web"}}


class _World:
    def __init__(self) -> None:
        options = AdmissionOptions(disabled=("ServiceAccount",))
        registry = Registry(MemoryStore(), clock=VirtualClock(), ids=SeededIds(1), options=options)
        self.client = registry.client("system:admin")
        self.client.create("namespaces", {"metadata": {"name": "shop"}})
        template = {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        spec = {"selector": _SELECTOR, "template": template}
        meta = {"name": "web", "namespace": "shop"}
        self.owner = self.client.create("replicasets.apps", {"metadata": meta, "spec": spec})
        self.template = template

    def do(self, what: str, number: int) -> None:
        name = f"p{number}"
        pod = self.client.find("pods", "shop", name)
        if pod is None:
            if what == "make":
                meta: Obj = {"name": name, "namespace": "shop", "labels": {"app": "web"}}
                meta["ownerReferences"] = [owner_reference(self.owner)]
                self.client.create("pods", {"metadata": meta, "spec": self.template["spec"]})
        elif what in ("ready", "unready", "fail"):
            condition = {"type": "Ready", "status": "True" if what == "ready" else "False"}
            phase = "Failed" if what == "fail" else "Running"
            self.client.update_status("pods", {**pod, "status": {"phase": phase, "conditions": [condition]}})
        elif what == "delete":
            self.client.delete("pods", "shop", name)
        elif what == "remove":
            self.client.delete("pods", "shop", name, grace_period_seconds=0)
        elif what in ("label", "release"):
            changed: Any = {"labels": {"app": "other"}} if what == "label" else {"ownerReferences": []}
            self.client.update("pods", {**pod, "metadata": {**pod["metadata"], **changed}})


def _figures(count: Count) -> tuple[object, ...]:
    names = [facts.pod["metadata"]["name"] for facts in count.active_ones()]
    return (count.active, count.ready, count.labelled, count.leaving, count.strangers, names)


@given(st.lists(_STEPS, max_size=30))
def test_a_census_taken_in_steps_is_one_taken_at_once(steps: list[tuple[str, int]]) -> None:
    world = _World()
    census = Census(world.client)
    world.client.watch(["pods"], census.note)
    census.take(world.owner, _SELECTOR)
    for what, number in [*steps, ("count", 0)]:
        if what != "count":
            world.do(what, number)
            continue
        fresh = Census(world.client).take(world.owner, _SELECTOR)
        assert _figures(census.take(world.owner, _SELECTOR)) == _figures(fresh)


def test_a_census_of_other_labels_starts_anew() -> None:
    world = _World()
    census = Census(world.client)
    world.do("make", 1)
    assert census.take(world.owner, _SELECTOR).active == 1
    assert census.take(world.owner, {"matchLabels": {"app": "other"}}).strangers == 1
