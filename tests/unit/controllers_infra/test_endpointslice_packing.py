"""Whatever happens to its Pods, a Service's slices say what it has, and no more is written than need be."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.cluster.controllers.endpointslice.packing import MAX_ENDPOINTS, Changes, pack, recycled
from leeward.cluster.controllers.endpointslice.plan import Group
from leeward.cluster.controllers.framework.servicepods import ports_key
from leeward.kube.objects import Obj

SERVICE: Obj = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "service"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], "clusterIP": "10.1.0.9"},
}


def endpoint(number: int, *, ready: bool = True) -> Obj:
    return {
        "addresses": [f"10.0.{number // 250}.{number % 250}"],
        "conditions": {"ready": ready},
        "targetRef": {"uid": str(number)},
    }


def groups(states: dict[int, tuple[int, bool]]) -> dict[str, Group]:
    found: dict[str, Group] = {}
    for number, (port, ready) in states.items():
        ports = [{"name": "", "port": port, "protocol": "TCP"}]
        made = found.setdefault(ports_key(ports), Group(ports))
        made.endpoints[str(number)] = endpoint(number, ready=ready)
    return found


def after(slices: Sequence[Obj], found: Changes, step: int) -> list[Obj]:
    """Return the slices after the writes."""
    gone = {each["metadata"]["name"] for each in found.delete}
    new = {each["metadata"]["name"]: each for each in found.update}
    kept = [
        new.get(each["metadata"]["name"], each) for each in slices if each["metadata"]["name"] not in gone
    ]
    made = [
        {**each, "metadata": {**each["metadata"], "name": f"web-{step}-{number}"}}
        for number, each in enumerate(found.create)
    ]
    return kept + made


_STATES = st.dictionaries(
    st.integers(0, 400), st.tuples(st.sampled_from([80, 81]), st.booleans()), max_size=400
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_STATES, min_size=1, max_size=4))
def test_slices_hold_exactly_the_endpoints_and_none_holds_too_many(
    history: list[dict[int, tuple[int, bool]]],
) -> None:
    slices: list[Obj] = []
    for step, states in enumerate(history):
        wanted = groups(states)
        found = recycled(SERVICE, pack(SERVICE, "IPv4", wanted, slices))
        slices = after(slices, found, step)
        held = [(int(each["targetRef"]["uid"]), part, each) for part in slices for each in part["endpoints"]]
        assert len(held) == len(states)
        told = {number: (part["ports"], each["conditions"]["ready"]) for number, part, each in held}
        assert {number: (ports[0]["port"], ready) for number, (ports, ready) in told.items()} == states
        assert all(len(part["endpoints"]) <= MAX_ENDPOINTS for part in slices)
        assert slices
        again = pack(SERVICE, "IPv4", wanted, slices)
        assert again == Changes(unchanged=again.unchanged)
