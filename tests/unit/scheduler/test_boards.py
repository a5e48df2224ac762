"""What boards answer for Pods of one template is what a look at all nodes answers, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import Random
from typing import Any

import pytest

from leeward.cluster.interface.client import Reader
from leeward.cluster.scheduler.boards import Board, Boards
from leeward.cluster.scheduler.cache import Cache
from leeward.cluster.scheduler.configuration import ProfileConfiguration, build_profile
from leeward.cluster.scheduler.podinfo import PodInfo, describe
from leeward.kube.objects import Obj
from leeward.kube.wellknown import HOSTNAME, ZONE

MakeReader = Callable[[Collection[Obj]], Reader]
SELECTORS: tuple[Obj, ...] = ({"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "b"}}, {})
SERVICE = {
    "kind": "Service",
    "metadata": {"namespace": "n", "name": "s"},
    "spec": {"selector": {"app": "a"}},
}


def random_node(rng: Random, name: str) -> Obj:
    labels = {HOSTNAME: name, ZONE: rng.choice("xyz"), "disk": rng.choice(("ssd", "hdd"))}
    for key in (HOSTNAME, ZONE):
        if rng.random() < 0.1:
            del labels[key]
    if rng.random() < 0.1:
        labels[HOSTNAME] = "twin"
    effect = rng.choice(("NoSchedule", "PreferNoSchedule"))
    taints = [{"key": "odd", "effect": effect}] if rng.random() < 0.3 else []
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": taints, "unschedulable": rng.random() < 0.1},
        "status": {
            "allocatable": {"cpu": str(rng.randint(1, 4)), "memory": "8Gi", "pods": "9"},
            "images": [{"names": ["web:1"], "sizeBytes": 3 * 10**8}] if rng.random() < 0.5 else [],
        },
    }


def _term(rng: Random) -> Obj:
    return {"topologyKey": rng.choice((HOSTNAME, ZONE, "disk")), "labelSelector": rng.choice(SELECTORS)}


def _group(rng: Random) -> Obj:
    found: Obj = {}
    if rng.random() < 0.3:
        found["requiredDuringSchedulingIgnoredDuringExecution"] = [_term(rng)]
    if rng.random() < 0.5:
        preferred = {"weight": rng.randint(1, 100), "podAffinityTerm": _term(rng)}
        found["preferredDuringSchedulingIgnoredDuringExecution"] = [preferred]
    return found


def random_spec(rng: Random) -> Obj:
    """Return the spec of one template."""
    requests = {"cpu": f"{rng.choice((0, 100, 300))}m", "memory": f"{rng.choice((0, 1, 500))}Mi"}
    ports = [{"hostPort": 80}] if rng.random() < 0.1 else []
    container = {"name": "c", "image": "web:1", "resources": {"requests": requests}, "ports": ports}
    spec: Obj = {"containers": [container]}
    affinity: Obj = {}
    if rng.random() < 0.4:
        affinity["podAntiAffinity"] = _group(rng)
    if rng.random() < 0.3:
        affinity["podAffinity"] = _group(rng)
    if rng.random() < 0.3:
        expression = {"key": "disk", "operator": "In", "values": ["ssd"]}
        preference = {"weight": 5, "preference": {"matchExpressions": [expression]}}
        affinity["nodeAffinity"] = {"preferredDuringSchedulingIgnoredDuringExecution": [preference]}
    if affinity:
        spec["affinity"] = affinity
    if rng.random() < 0.2:
        spec["nodeSelector"] = {"disk": "ssd"}
    if rng.random() < 0.5:
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": rng.randint(1, 2),
                "topologyKey": key,
                "whenUnsatisfiable": rng.choice(("DoNotSchedule", "ScheduleAnyway")),
                "labelSelector": rng.choice(SELECTORS),
                "nodeAffinityPolicy": rng.choice(("Honor", "Ignore")),
                "nodeTaintsPolicy": rng.choice(("Honor", "Ignore")),
                **({"minDomains": 3} if rng.random() < 0.2 else {}),
            }
            for key in rng.sample((HOSTNAME, ZONE, "disk"), rng.randint(1, 2))
        ]
    return spec


class World:
    """Nodes and Pods that change at random."""

    def __init__(self, seed: int, reader: Reader) -> None:
        self.rng = Random(seed)
        self.reader = reader
        self.cache = Cache()
        self.profile = build_profile(ProfileConfiguration())
        self.templates = [(random_spec(self.rng), {"app": app}) for app in "aab"]
        self.placed: list[PodInfo] = []
        self.made = 0
        for number in range(self.rng.randint(1, 8)):
            self.cache.set_node(random_node(self.rng, f"n{number}"))

    def pod(self, template: int, **meta: Any) -> PodInfo:
        """Make another Pod of a template."""
        self.made += 1
        spec, labels = self.templates[template]
        name = f"p{self.made}"
        return describe(
            {
                "metadata": {"namespace": "n", "name": name, "uid": name, "labels": labels, **meta},
                "spec": spec,
            }
        )

    def disturb(self) -> None:
        """Let something happen."""
        event = self.rng.random()
        name = f"n{self.rng.randint(0, 9)}"
        if event < 0.1:
            self.cache.set_node(random_node(self.rng, name))
        elif event < 0.15:
            self.cache.remove_node(name)
        elif event < 0.3 and self.placed:
            self.cache.forget(self.placed.pop(self.rng.randrange(len(self.placed))).uid)
        elif event < 0.4:
            dying = {"deletionTimestamp": "now"} if event < 0.33 else {}
            pod = self.pod(self.rng.randrange(3), **dying)
            self.placed.append(pod)
            self.cache.place(pod, name)

    def check(self, board: Board, pod: PodInfo) -> None:
        """Compare the answer of a board with that of a look at all nodes, and follow it."""
        cache = self.cache
        cycle = cache.cycle(pod, self.reader)
        found = self.profile.find_feasible(cycle, self.profile.prepare(cycle), cache.nominated_on)
        chosen = board.pick(pod)
        if chosen is None:
            assert not found.feasible
            assert board.explain() == found
            return
        table = self.profile.score(cycle, found.feasible)
        totals = {name: sum(row.values()) for name, row in table.items()}
        best = [name for name, total in totals.items() if total == max(totals.values())]
        assert chosen.name in best
        self.placed.append(pod)
        cache.place(pod, chosen.name)


@pytest.mark.parametrize("seed", range(60))
def test_a_board_chooses_as_a_look_at_all_nodes_does(seed: int, make_reader: MakeReader) -> None:
    world = World(seed, make_reader([SERVICE]))
    boards = [Board(world.profile, world.cache, world.reader, world.pod(number)) for number in range(3)]
    for _ in range(30):
        world.disturb()
        number = world.rng.randrange(3)
        world.check(boards[number], world.pod(number))


def test_a_template_gets_a_board_with_its_second_pod(make_reader: MakeReader) -> None:
    world = World(1, make_reader([]))
    boards = Boards(world.profile, world.cache, world.reader)
    assert boards.get(world.pod(0)) is None
    board = boards.get(world.pod(0))
    assert board is not None
    assert boards.get(world.pod(0)) is board
    boards.forget("elsewhere")
    assert boards.get(world.pod(0)) is board
    boards.forget("n")
    assert boards.get(world.pod(0)) is None


def test_a_pod_with_a_volume_of_its_own_has_no_board(make_reader: MakeReader) -> None:
    world = World(1, make_reader([]))
    world.templates[0][0]["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    boards = Boards(world.profile, world.cache, world.reader)
    assert [boards.get(world.pod(0)) for _ in range(3)] == [None, None, None]
