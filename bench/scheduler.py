"""Measures what placing a Pod costs: the scheduler alone, in process, in virtual time, on a stub of the API.

CPU time of this process, so that others on the machine do not matter. Deciding is all from taking Pods off
the queue to having bound them, the events of the bindings included; taking note is what new Pods cost before.
Run: python bench/scheduler.py [--profile] [NODES:PODS:KIND ...]; without rows, all are measured and written
to bench/results.md.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable, Collection
from typing import Any

from results import table, write_section

from leeward.base.clock import VirtualClock
from leeward.cluster.interface.store import Event, Handler, Unsubscribe
from leeward.cluster.scheduler.scheduler import Scheduler
from leeward.kube.objects import Obj, key_of
from leeward.kube.wellknown import HOSTNAME, ZONE

ROWS = (
    "1000:10000:zone", "5000:10000:zone", "1000:1000:zone", "5000:50000:zone", "1000:10000:plain",
    "5000:10000:plain", "1000:10000:service", "5000:10000:service", "1000:10000:preferred",
    "1000:1000:exclusive", "5000:5000:exclusive", "1000:10000:both", "1000:200:unique",
)  # fmt: skip
_ABOUT = """`python bench/scheduler.py`: the scheduler alone. Goals for a zone spread: <= 250 µs a Pod on
1,000 nodes, <= 500 µs on 5,000. Kinds: a required zone spread; that and a preferred spread over hosts (both);
the default spread of a Service; preferred and required (exclusive) anti-affinity on hosts; nothing (plain);
every Pod of its own kind (unique)."""
LABELS = {"app": "web"}
SELECTOR = {"matchLabels": LABELS}
TERM = {"labelSelector": SELECTOR, "topologyKey": HOSTNAME}


def _spread(key: str) -> Obj:
    return {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": SELECTOR}


def _apart(**terms: Any) -> Obj:
    return {"affinity": {"podAntiAffinity": terms}}


KINDS: dict[str, Obj] = {
    "plain": {},
    "service": {},
    "unique": {},
    "zone": {"topologySpreadConstraints": [_spread(ZONE)]},
    "both": {
        "topologySpreadConstraints": [
            _spread(ZONE),
            {**_spread(HOSTNAME), "whenUnsatisfiable": "ScheduleAnyway"},
        ]
    },
    "preferred": _apart(
        preferredDuringSchedulingIgnoredDuringExecution=[{"weight": 100, "podAffinityTerm": TERM}]
    ),
    "exclusive": _apart(requiredDuringSchedulingIgnoredDuringExecution=[TERM]),
}


class Api:
    """Holds objects, tells of changes; checks nothing."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[str, str], Obj]] = {}
        self.handlers: list[tuple[frozenset[str], Handler]] = []
        self.bound = 0

    def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        return self.tables.get(resource, {}).get((namespace, name))

    def list(self, resource: str, namespace: str = "") -> list[Obj]:
        return [obj for (where, _), obj in self.tables.get(resource, {}).items() if namespace in ("", where)]

    def watch(self, resources: Collection[str], handler: Handler) -> Unsubscribe:
        self.handlers.append((frozenset(resources), handler))
        return self.handlers.clear

    def put(self, resource: str, obj: Obj) -> None:
        objects = self.tables.setdefault(resource, {})
        key = key_of(obj)
        previous = objects.get(key)
        objects[key] = obj
        event = Event("MODIFIED" if previous else "ADDED", resource, obj, previous, 1)
        for resources, handler in self.handlers:
            if resource in resources:
                handler(event)

    def put_all(self, resource: str, objects: Collection[Obj]) -> None:
        for obj in objects:
            self.put(resource, obj)

    def update_status(self, resource: str, obj: Obj) -> None:
        self.put(resource, obj)

    def bind(self, namespace: str, name: str, node: str) -> None:
        pod = self.tables["pods"][namespace, name]
        self.bound += 1
        self.put("pods", {**pod, "spec": {**pod["spec"], "nodeName": node}})

    def record(self, *_: Any, **__: Any) -> None:
        return


def node(number: int) -> Obj:
    """Return one of many like nodes in three zones."""
    name = f"node-{number}"
    return {
        "metadata": {"name": name, "labels": {HOSTNAME: name, ZONE: "abc"[number % 3]}},
        "spec": {},
        "status": {"allocatable": {"cpu": "32", "memory": "256Gi", "pods": "110"}},
    }


def pod(number: int, kind: str) -> Obj:
    """Return one of many like Pods (of kind "unique": one of its own labels)."""
    resources = {"requests": {"cpu": "100m", "memory": "128Mi"}}
    labels = {**LABELS, **({"number": str(number)} if kind == "unique" else {})}
    meta = {"namespace": "shop", "name": f"web-{number}", "uid": f"u{number}", "labels": labels}
    tolerations = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute"}
        for key in ("not-ready", "unreachable")
    ]
    containers = [{"name": "c", "image": "web:1", "resources": resources}]
    return {
        "metadata": meta,
        "spec": {
            "containers": containers,
            "tolerations": tolerations,
            "schedulerName": "default-scheduler",
            "priority": 0,
            **KINDS[kind],
        },
        "status": {"phase": "Pending"},
    }


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds that `work` takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(row: str, profile: cProfile.Profile | None) -> list[str]:
    """Place the Pods of one row; returns a row of the table."""
    nodes, pods, kind = row.split(":")
    api, clock = Api(), VirtualClock()
    for number in range(int(nodes)):
        api.put("nodes", node(number))
    if kind == "service":
        meta = {"namespace": "shop", "name": "web"}
        api.put("services", {"metadata": meta, "spec": {"selector": LABELS}})
    scheduler = Scheduler(api, clock)  # type: ignore[arg-type]
    scheduler.start()
    made = [pod(number, kind) for number in range(int(pods))]
    note = cpu(lambda: api.put_all("pods", made))
    if profile:
        profile.enable()
    decide = cpu(lambda: clock.advance(0))
    if profile:
        profile.disable()
    if api.bound != len(made):
        raise SystemExit(f"{row}: only {api.bound} are bound")
    rate = len(made) / (decide or 1)
    each = 1e6 / len(made)
    return [nodes, pods, kind, f"{decide * each:.0f}", f"{note * each:.0f}", f"{rate:,.0f}"]


def main() -> None:
    """Measure the rows asked for, all by default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="*", metavar="NODES:PODS:KIND")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    profile = cProfile.Profile() if arguments.profile else None
    head = ["nodes", "Pods", "kind", "deciding, CPU µs/Pod", "taking note, CPU µs/Pod", "Pods/CPU s"]
    measured = table(head, [measure(row, profile) for row in arguments.rows or ROWS])
    if arguments.rows:
        print(measured)
    else:
        write_section("The scheduler", f"{_ABOUT}\n\n{measured}")
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
