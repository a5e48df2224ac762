"""Random owners and dependents, deleted in any order, and what the garbage collector must make of them.

Judged by uids, when everything has come to rest and nobody's finalizer is left: nothing is terminating, and
nothing is there all of whose owners are gone. What goes, goes for a reason: it was deleted by hand, or its
last owner went without setting it free. With cycles both hold, too: objects that own one another stay until
one of them is deleted, and then all of them can go.
"""

from __future__ import annotations

from typing import Any

from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, is_terminating
from leeward.kube.wellknown import FINALIZER_FOREGROUND, FINALIZER_ORPHAN
from tests.unit.interleavings.chaos import NAMESPACE, History

MAPS, SECRETS = "configmaps", "secrets"
_KINDS = {MAPS: ("v1", "ConfigMap"), SECRETS: ("v1", "Secret")}
_HELD = "example.com/held"
_POLICIES = ("Background", "Background", "Foreground", "Orphan")


class Owners(History):
    """Some objects that own one another in one random history.

    Args:
        seed: of the history.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed, ("garbage-collector-controller",))
        self.owners: dict[str, set[str]] = {}  # uid → uids that were ever its owners
        self.deleted: set[str] = set()  # by hand
        self.cascading: set[str] = set()  # deleted with another policy than Orphan, if only for a while
        self.client.watch(list(_KINDS), self._see)

    def run(self) -> None:
        """Make, delete, release, in any order; then let everything end."""
        for number in range(self.random.randint(3, 14)):
            self._make(number)
            self._maybe_work()
        if self.random.random() < 0.4:
            self._close_cycle()
        for _ in range(self.random.randint(1, 6)):
            self._delete()
            self._maybe_work()
            if self.random.random() < 0.3:
                self._release()
        for _ in range(50):
            for _ in self.chaos.settle():
                pass
            if not self._release():
                break
        self._check()

    # What happens -------------------------------------------------------------------------------------

    def _make(self, number: int) -> None:
        resource = self.random.choice(list(_KINDS))
        there = self._objects()
        chosen = self.random.sample(there, min(len(there), self.random.choice((0, 1, 1, 1, 2, 3))))
        meta: Obj = {"name": f"o{number}", "namespace": NAMESPACE}
        if chosen:
            meta["ownerReferences"] = [self._reference(each, owner) for each, owner in chosen]
        if self.random.random() < 0.15:
            meta["finalizers"] = [_HELD]
        made = self.client.create(resource, {"metadata": meta})
        self._note(made)

    def _reference(self, resource: str, owner: Obj) -> Obj:
        version, kind = _KINDS[resource]
        meta = owner["metadata"]
        blocks = {"blockOwnerDeletion": True} if self.random.random() < 0.6 else {}
        return {"apiVersion": version, "kind": kind, "name": meta["name"], "uid": meta["uid"], **blocks}

    def _close_cycle(self) -> None:
        """Let an object own another one that may own it."""
        there = self._objects()
        if len(there) < 2:
            return
        (resource, dependent), owner = self.random.sample(there, 2)
        if is_terminating(dependent):
            return
        meta = dependent["metadata"]
        references = [*(meta.get("ownerReferences") or ()), self._reference(*owner)]
        changed = self.client.update(
            resource, {**dependent, "metadata": {**meta, "ownerReferences": references}}
        )
        self._note(changed)

    def _delete(self) -> None:
        there = self._objects()
        if not there:
            return
        resource, obj = self.random.choice(there)
        policy: Any = self.random.choice(_POLICIES)
        meta = obj["metadata"]
        self.deleted.add(meta["uid"])
        if policy != "Orphan":
            self.cascading.add(meta["uid"])
        self.client.delete(resource, NAMESPACE, meta["name"], propagation=policy)

    def _release(self) -> bool:
        """Take our finalizer away from what is to go; tells whether there was any."""
        found = False
        for resource, obj in self._objects():
            meta = obj["metadata"]
            if is_terminating(obj) and _HELD in (meta.get("finalizers") or ()):
                left = [each for each in meta["finalizers"] if each != _HELD]
                self.client.update(resource, {**obj, "metadata": {**meta, "finalizers": left}})
                found = True
        return found

    def _maybe_work(self) -> None:
        for _ in range(self.random.choice((0, 0, 1, 3, 10))):
            self.chaos.work()

    def _see(self, event: Event) -> None:
        meta = event.object["metadata"]
        if FINALIZER_FOREGROUND in (meta.get("finalizers") or ()):
            self.cascading.add(meta["uid"])

    def _note(self, obj: Obj) -> None:
        meta = obj["metadata"]
        known = self.owners.setdefault(meta["uid"], set())
        known.update(each["uid"] for each in meta.get("ownerReferences") or ())

    # What must hold -----------------------------------------------------------------------------------

    def _check(self) -> None:
        there = {obj["metadata"]["uid"]: obj for _, obj in self._objects()}
        for uid, obj in there.items():
            meta = obj["metadata"]
            assert not is_terminating(obj), f"{meta['name']} is terminating for ever: {meta}"
            assert not {FINALIZER_FOREGROUND, FINALIZER_ORPHAN} & set(meta.get("finalizers") or ()), meta
            references = meta.get("ownerReferences") or ()
            owners = {each["uid"] for each in references}
            assert not references or owners & there.keys(), f"{meta['name']} has no owner left: {meta}"
            assert uid not in self.deleted, f"{meta['name']} was deleted and is still there"
        for uid in self.owners.keys() - there.keys() - self.deleted:
            assert self._may_go(uid, there), f"{uid} went without a reason"

    def _may_go(self, uid: str, there: dict[str, Obj]) -> bool:
        """Tell whether an owner of an object that went is gone, too, and may have taken it along."""
        freeing = self.deleted - self.cascading
        return bool(self.owners[uid] - there.keys() - freeing)

    def _objects(self) -> list[tuple[str, Obj]]:
        return [(resource, obj) for resource in _KINDS for obj in self.client.list(resource, NAMESPACE)]
