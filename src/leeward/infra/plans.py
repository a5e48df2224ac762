"""A Terraform plan, read: what is made, changed, made anew and destroyed, and by which attribute.

Pure: it takes what ``terraform show -json PLAN`` prints, of Terraform or OpenTofu.

Invariant: a value that Terraform marks as sensitive is nowhere in the result.

Source: "JSON Output Format" of the Terraform documentation, format version 1.2.
"""

from __future__ import annotations

import enum
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

SENSITIVE = "(sensitive)"
UNKNOWN = "(known after apply)"
ABSENT = "(none)"
TAINTED = "replace_because_tainted"
_NAMED_ANEW = frozenset(("aws_eks_node_group", "aws_launch_template"))  # by a prefix, so two may be there
_Path = tuple[str | int, ...]
_LONGEST = 80  # characters of a value that are shown


class Action(enum.StrEnum):
    """What becomes of a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DESTROY = "destroy"
    FORGET = "forget"  # it stays at AWS, and Terraform knows it no more


_ACTIONS: Mapping[tuple[str, ...], Action] = {
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("delete",): Action.DESTROY,
    ("forget",): Action.FORGET,
    ("create", "forget"): Action.REPLACE,
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute that is not what it was."""

    path: str  # such as "scaling_config.min_size"
    before: str  # as people read it
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """What becomes of one resource."""

    address: str  # as Terraform writes it
    module: str  # "" for the directory of the cluster itself: main.tf and extra.tf
    type: str  # such as "aws_eks_node_group"
    name: str
    key: str  # of for_each; "" without
    action: Action
    creates_first: bool = False  # of a replacement: the new one is there before the old one goes
    forced_by: tuple[str, ...] = ()  # attributes that cannot be changed in place
    reason: str = ""  # Terraform's, such as "replace_because_tainted"
    attributes: tuple[Attribute, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict, repr=False)  # without sensitive values
    after: Mapping[str, Any] = field(default_factory=dict, repr=False)  # what is known of it

    @property
    def shown(self) -> str:
        """Return the address, shortened."""
        return shown_address(self.module, self.type, self.name, self.key)

    @property
    def is_unfinished(self) -> bool:
        """Tell whether making it did not end, and a second one cannot be made before it goes."""
        return self.reason == TAINTED and self.creates_first and self.type not in _NAMED_ANEW

    @property
    def goes(self) -> bool:
        """Tell whether what is there now goes."""
        return self.action in (Action.REPLACE, Action.DESTROY)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSummary:
    """A plan."""

    changes: tuple[ResourceChange, ...]  # in Terraform's order, by address
    drift: tuple[ResourceChange, ...] = ()  # what others changed at AWS, and the plan puts back
    outputs: tuple[str, ...] = ()  # that change

    @property
    def has_changes(self) -> bool:
        """Tell whether there is anything to apply."""
        return bool(self.changes or self.outputs)

    @property
    def unfinished(self) -> tuple[ResourceChange, ...]:
        """Return what was being made when Terraform was stopped, and cannot be made a second time beside it.

        Terraform marks it as tainted and would make another one first, with the same name or addresses, which
        AWS refuses. Its own word for keeping it is ``terraform untaint``; the next plan completes it.
        """
        return tuple(each for each in self.changes if each.is_unfinished)

    def count(self, action: Action) -> int:
        """Return how many resources have `action`."""
        return Counter(each.action for each in self.changes)[action]

    def of_type(self, kind: str) -> Iterator[ResourceChange]:
        """Yield the changes of resources of a type."""
        return (each for each in self.changes if each.type == kind)


def summary_of(plan: Mapping[str, Any]) -> PlanSummary:
    """Return what a plan does.

    Args:
        plan: the JSON of ``terraform show -json PLAN``.

    Raises:
        ValueError: it is no plan.
    """
    if "resource_changes" not in plan and "planned_values" not in plan:
        raise ValueError("this is no plan of Terraform's")
    changes = [each for each in map(_change, plan.get("resource_changes") or ()) if each is not None]
    drift = [each for each in map(_change, plan.get("resource_drift") or ()) if each is not None]
    outputs = plan.get("output_changes") or {}
    return PlanSummary(
        changes=tuple(changes),
        drift=tuple(_undone(drift, changes)),
        outputs=tuple(sorted(name for name, each in outputs.items() if each.get("actions") != ["no-op"])),
    )


def shown_address(module: str, kind: str, name: str, key: str) -> str:
    """Return an address without what all have: ``node_groups.eks_node_group["general-a"]``.

    Args:
        module: such as "module.node_groups"; "" for none.
        kind: type of the resource.
        name: of the resource; "this" says nothing.
        key: of for_each; "" for none.
    """
    path = module.replace("module.", "")
    parts = [path, kind.removeprefix("aws_"), "" if name == "this" else name]
    return ".".join(filter(None, parts)) + (f"[{json.dumps(key)}]" if key else "")


def _change(found: Mapping[str, Any]) -> ResourceChange | None:
    change = found["change"]
    action = _ACTIONS.get(tuple(change["actions"]))
    if action is None or found.get("mode", "managed") != "managed":
        return None
    before = _scrubbed(change.get("before") or {}, change.get("before_sensitive"))
    after = _scrubbed(change.get("after") or {}, change.get("after_sensitive"))
    both = action in (Action.UPDATE, Action.REPLACE)
    forced = tuple(dict.fromkeys(_words(path) for path in change.get("replace_paths") or ()))
    index = found.get("index")
    return ResourceChange(
        address=str(found["address"]),
        module=str(found.get("module_address") or ""),
        type=str(found["type"]),
        name=str(found["name"]),
        key="" if index is None else str(index),
        action=action,
        creates_first=change["actions"][0] == "create",
        forced_by=forced,
        reason=str(found.get("action_reason") or ""),
        attributes=tuple(_attributes(before, after, change.get("after_unknown"), forced)) if both else (),
        before=before,
        after=after,
    )


def _undone(drift: Sequence[ResourceChange], changes: Sequence[ResourceChange]) -> Iterator[ResourceChange]:
    """Yield what others changed and the plan puts back; the rest is the autoscaler's, or only now known."""
    planned = {each.address: each for each in changes}
    for each in drift:
        change = planned.get(each.address)
        if change is None:
            continue
        if each.action is Action.DESTROY:
            yield each
            continue
        back = {attribute.path for attribute in change.attributes}
        attributes = tuple(attribute for attribute in each.attributes if attribute.path in back)
        if attributes:
            yield replace(each, attributes=attributes)


def _scrubbed(value: Any, marks: Any) -> Any:
    """Return a value with everything sensitive replaced; `marks` has its shape, with true at what is."""
    if marks is True:
        return SENSITIVE
    if isinstance(value, dict) and isinstance(marks, dict):
        return {key: _scrubbed(each, marks.get(key)) for key, each in value.items()}
    if isinstance(value, list) and isinstance(marks, list):
        padded: Sequence[Any] = [*marks, *[None] * (len(value) - len(marks))]
        return [_scrubbed(each, mark) for each, mark in zip(value, padded, strict=False)]
    return value


def _attributes(
    before: Mapping[str, Any], after: Mapping[str, Any], unknown: Any, forced: Sequence[str]
) -> Iterator[Attribute]:
    """Yield what differs, by path; what is only not known yet is told where it forces a replacement."""
    old, new = dict(_flat(before)), dict(_flat(after))
    marks = [path for path, on in _flat(unknown) if on is True or (isinstance(on, list) and True in on)]
    seen = set()
    for path in sorted({*old, *new, *marks}, key=lambda each: [str(step) for step in each]):
        is_unknown = any(path[: len(mark)] == mark for mark in marks)
        words = _words(path)
        is_same = old.get(path) == new.get(path) or (path not in new and old[path] in (0, False))
        if (is_unknown and words not in forced) or (not is_unknown and is_same):
            continue
        told = Attribute(
            words.replace("tags_all.", "tags."),
            _shown(old.get(path)),
            UNKNOWN if is_unknown else _shown(new.get(path)),
        )
        if told not in seen:
            seen.add(told)
            yield told


def _flat(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    """Yield every leaf that is something; a list of plain values is one."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, (*path, key))
    elif isinstance(value, list) and any(isinstance(each, (dict, list)) for each in value):
        for index, each in enumerate(value):
            yield from _flat(each, (*path, index))
    elif value not in (None, [], ""):
        yield path, value


def _words(path: Sequence[str | int]) -> str:
    """Return a path without the index of a block that there is one of."""
    words = ""
    for step in path:
        if isinstance(step, str):
            words += f".{step}" if words else step
        elif step:
            words += f"[{step}]"
    return words


def _shown(value: Any) -> str:
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
