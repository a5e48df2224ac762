"""Which dependents belong to an owner: matching orphans are adopted, what matches no longer is released.

Source: pkg/controller/controller_ref_manager.go, ClaimObject (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable

from leeward.cluster.interface.client import Client, Event, Reader
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    controller_of,
    is_terminating,
    key_of,
    labels_of,
    owner_reference,
)
from leeward.kube.selectors import matches_selector


def selector_of(owner: Obj) -> Obj:
    """Return the label selector of an owner; ReplicationControllers have but labels."""
    selector: Obj = owner["spec"]["selector"]
    return {"matchLabels": selector} if owner["kind"] == "ReplicationController" else selector


def claim(client: Client, resource: str, owner: Obj, fits: Callable[[Obj], bool] = bool) -> list[Obj]:
    """Return the objects of `resource` that `owner` controls after adopting and releasing.

    An owner that is being deleted neither adopts nor releases.

    Args:
        client: reads and writes.
        resource: of the dependents.
        owner: has a selector.
        fits: further condition on what is adopted.
    """
    meta, selector = owner["metadata"], selector_of(owner)
    kept = []
    for each in client.controlled_by(resource, meta["uid"]):
        if matches_selector(selector, labels_of(each)):
            kept.append(each)
        elif not is_terminating(each) and not is_terminating(owner):
            references = each["metadata"]["ownerReferences"]
            _set_owners(client, resource, each, [r for r in references if r["uid"] != meta["uid"]])
    if is_terminating(owner):
        return kept
    for each in client.uncontrolled(resource, meta["namespace"]):
        if not is_terminating(each) and fits(each) and matches_selector(selector, labels_of(each)):
            references = [*(each["metadata"].get("ownerReferences") or ()), owner_reference(owner)]
            kept.append(_set_owners(client, resource, each, references))
    return kept


def _set_owners(client: Client, resource: str, obj: Obj, references: list[Obj]) -> Obj:
    return client.update(resource, {**obj, "metadata": {**obj["metadata"], "ownerReferences": references}})


def adopters(reader: Reader, resource: str, event: Event) -> list[ObjectKey]:
    """Return the keys of the objects of `resource` that might adopt the event's object."""
    obj = event.object
    if event.type == "DELETED" or controller_of(obj) is not None or is_terminating(obj):
        return []
    found = reader.list(resource, key_of(obj).namespace)
    return [key_of(each) for each in found if matches_selector(selector_of(each), labels_of(obj))]
