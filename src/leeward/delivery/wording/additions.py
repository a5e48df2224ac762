"""What is in a namespace beside what promotions applied: things that people or other tools made there. Pure.

What the cluster makes of other objects (they have owners) and what Kubernetes puts into every namespace are
no additions, and neither are the Jobs of verifications, those of ``leeward run``, and the claims of Pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leeward.delivery.oneoff import RUN_OF
from leeward.delivery.promotion.rollout import key_of_kind
from leeward.delivery.promotion.verification import CHECK_LABEL
from leeward.delivery.wording.drift import Drift, claims_of, is_of_pods
from leeward.kube.objects import Obj, is_terminating, labels_of
from leeward.kube.wellknown import APP_MANAGED_BY, APP_PART_OF
from leeward.render.order import sort_key

_STANDING = frozenset(  # in every namespace
    (("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt"))
)
_PASSING = frozenset((CHECK_LABEL, RUN_OF))  # labels of Jobs that go by themselves
_TOKENS = "kubernetes.io/service-account-token"  # the type of Secrets that Kubernetes makes


def additions(applied: Sequence[Obj], live: Iterable[Obj], kept: Iterable[Obj] = ()) -> list[Drift]:
    """Return the objects that no promotion applied, in the order of applying.

    Args:
        applied: as rendered.
        live: everything in the namespace. What has the labels of what was applied is left out: it is told as
            drift.
        kept: what was applied before and may still be there.
    """
    known = {key_of_kind(obj) for obj in (*applied, *kept)}
    projects = {labels_of(obj).get(APP_PART_OF) for obj in applied} - {None}
    claims = tuple(claims_of(applied))
    found = []
    for obj in sorted(live, key=sort_key):
        (kind, name), labels = key_of_kind(obj), labels_of(obj)
        if (kind, name) in known or (kind, name) in _STANDING or is_terminating(obj):
            continue
        if labels.get(APP_MANAGED_BY) == "leeward" and labels.get(APP_PART_OF) in projects:
            continue
        if obj["metadata"].get("ownerReferences") or labels.keys() & _PASSING or obj.get("type") == _TOKENS:
            continue
        if kind == "PersistentVolumeClaim" and is_of_pods(name, claims):
            continue
        found.append(Drift(kind, name, f"was added{_by(obj)}; no promotion applied it", is_extra=True))
    return found


def _by(obj: Obj) -> str:
    """Return who made an object, as the API server remembers it."""
    entries = obj["metadata"].get("managedFields") or ()
    first = next((each.get("manager") for each in entries if not each.get("subresource")), None)
    return f" by {first}" if first else ""
