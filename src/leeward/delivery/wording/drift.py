"""Where a cluster is otherwise than what was applied to it. Pure.

Only what leeward wrote is compared: what others added, the API's defaults, status and bookkeeping are not its
own. Quantities are compared by value, because the API writes them in its own form. Missing objects are told,
and so are those that have leeward's labels and that nobody applied.

What others put beside it is told by ``leeward.delivery.wording.additions``.

Source: ``leeward.delivery.apply``, whose rules on what is the same are used here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leeward.delivery.apply import has_drifted
from leeward.delivery.outlook import substance
from leeward.delivery.promotion.manifests import without_values
from leeward.delivery.promotion.rollout import Key, key_of_kind
from leeward.delivery.wording.leftovers import Field, named, said, short, text_of
from leeward.kube.objects import Obj, controller_of, is_terminating, labels_of
from leeward.kube.quantity import parse_quantity
from leeward.kube.resources import resource_of_kind
from leeward.kube.wellknown import APP_MANAGED_BY, APP_PART_OF
from leeward.render.order import sort_key

_QUANTITY = re.compile(r"\.(limits|requests|capacity|hard)\.[^\[\]]+\Z|\b(sizeLimit|averageValue|divisor)\Z")


@dataclass(frozen=True, slots=True)
class Drift:
    """Something that is otherwise; without a field, the object is missing or was never applied."""

    kind: str
    name: str
    text: str  # what is otherwise: "replicas 3 → 7", applied before live
    field: str = ""  # "spec.replicas"
    is_extra: bool = False  # it was never applied

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.text}"


def drift(applied: Sequence[Obj], live: Iterable[Obj], kept: Sequence[Obj] = ()) -> list[Drift]:
    """Return where live objects are otherwise than applied ones, in the order of applying.

    Args:
        applied: as rendered; Secrets may be without values.
        live: as the API returned them: at least those of the same kinds in the namespace. Objects of the
            whole cluster, such as the Namespace, are compared where they are among them.
        kept: what was applied before, of which ConfigMaps and Secrets are left so that it could come back.
    """
    there = {key_of_kind(obj): obj for obj in live}
    found: list[Drift] = []
    for obj in sorted(without_values(applied), key=sort_key):
        kind, name = key_of_kind(obj)
        have = there.get((kind, name))
        if have is None and not _is_namespaced(obj):
            continue
        if have is None:
            found.append(Drift(kind, name, "is missing"))
        elif is_terminating(have):
            found.append(Drift(kind, name, "is being deleted"))
        else:
            found += [Drift(kind, name, _text(each), each.path) for each in _fields(obj, substance(have))]
    return [*found, *_extra(applied, there, kept)]


def _is_namespaced(obj: Obj) -> bool:
    resource = resource_of_kind(obj["apiVersion"], obj["kind"])
    return resource is None or resource.namespaced


def _text(field: Field) -> str:
    """Return a field in words, applied before live."""
    if field.after is not None:
        return said(field)
    value = text_of(field.path, field.before)
    return f"{short(field.path)} {value} → nothing" if value else f"{short(field.path)}: removed"


def _fields(wanted: Any, have: Any, path: str = "") -> Iterator[Field]:
    """Yield what of `wanted` is otherwise in `have`."""
    if isinstance(wanted, Mapping) and isinstance(have, Mapping):
        for key, inner in wanted.items():
            yield from _fields(inner, have.get(key), f"{path}.{key}" if path else str(key))
        return
    if isinstance(wanted, list) and wanted and isinstance(have, list):
        mine, theirs = named(wanted), named(have)
        if mine is not None and theirs is not None:
            for name, inner in mine.items():
                yield from _fields(inner, theirs.get(name), f"{path}[{name}]")
            return
    if not _is_same(wanted, have, path):
        yield Field(path, wanted, have)


def _is_same(wanted: Any, have: Any, path: str) -> bool:
    if (not wanted and not have) or not has_drifted({"": wanted}, {"": have}):
        return True
    if _QUANTITY.search(path) is None:
        return False
    try:
        return parse_quantity(wanted) == parse_quantity(have)
    except (ValueError, TypeError):
        return False


def _extra(applied: Sequence[Obj], there: Mapping[Key, Obj], kept: Sequence[Obj]) -> Iterator[Drift]:
    """Yield what has leeward's labels and was not applied, nor made by the cluster of what was."""
    known = {key_of_kind(obj) for obj in applied}
    known |= {key_of_kind(obj) for obj in kept if obj["kind"] in ("ConfigMap", "Secret")}
    projects = {labels_of(obj).get(APP_PART_OF) for obj in applied}
    claims = tuple(claims_of(applied))
    for obj in sorted(there.values(), key=sort_key):
        labels = labels_of(obj)
        if key_of_kind(obj) in known or labels.get(APP_MANAGED_BY) != "leeward" or is_terminating(obj):
            continue
        if labels.get(APP_PART_OF) not in projects or controller_of(obj) is not None:
            continue
        kind, name = key_of_kind(obj)
        if kind != "PersistentVolumeClaim" or not is_of_pods(name, claims):
            yield Drift(kind, name, "was not applied by the release that runs", is_extra=True)


def claims_of(applied: Iterable[Obj]) -> Iterator[str]:
    """Yield what the claims of StatefulSets' Pods are called, without the number of the Pod."""
    for obj in applied:
        for claim in obj.get("spec", {}).get("volumeClaimTemplates") or ():
            yield f"{claim['metadata']['name']}-{obj['metadata']['name']}-"


def is_of_pods(name: str, claims: Iterable[str]) -> bool:
    """Tell whether a claim of that name is one of :func:`claims_of`."""
    return any(name.startswith(claim) and name.removeprefix(claim).isdecimal() for claim in claims)
