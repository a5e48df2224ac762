"""What a printer is, and the cells that many kinds share.

Invariant: a row has as many cells as its printer has columns; ages are told to the second, minute,
hour, day or year exactly as kubectl expects them.

Source: ``k8s.io/kubernetes/pkg/printers`` and ``k8s.io/apimachinery/pkg/util/duration`` (1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeward.kube.objects import Obj, parse_time

Cell = str | int | bool
Row = Callable[[Obj, datetime], Sequence[Cell | None]]  # None: there is nothing to show

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; priority 1 shows with ``-o wide`` only."""

    name: str
    type: str = "string"
    priority: int = 0
    description: str = ""  # "": upstream's
    format: str = ""

    def definition(self, description: str) -> dict[str, Any]:
        """Return the metav1.TableColumnDefinition."""
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else self.format,
            "description": description,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Printer:
    """How one kind is shown."""

    columns: Sequence[Column]
    row: Row


def columns(text: str) -> tuple[Column, ...]:
    """Return the columns of a compact list: ``"Name,Desired:integer,|,Containers"``; wide ones after "|"."""
    found: list[Column] = []
    priority = 0
    for part in text.split(","):
        if part == "|":
            priority = 1
            continue
        name, _, kind = part.partition(":")
        found.append(Column(name, kind or "string", priority))
    return tuple(found)


def human_duration(seconds: float) -> str:
    """Return a duration in kubectl's words: "5s", "2m30s", "3h4m", "5d", "2y10d"."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    minutes, hours = total // 60, total // 3600
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return _pair(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    return _days(hours)


def _days(hours: int) -> str:
    days = hours // 24
    if hours < 192:
        return _pair(days, "d", hours % 24, "h")
    if hours < 24 * 365 * 2:
        return f"{days}d"
    if hours < 24 * 365 * 8:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def since(stamp: str | None, now: datetime) -> str:
    """Return how long ago `stamp` was; "<unknown>" without one."""
    return human_duration((now - parse_time(stamp)).total_seconds()) if stamp else UNKNOWN


def age(obj: Obj, now: datetime) -> str:
    """Return the object's age."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def name(obj: Obj) -> str:
    """Return the object's name."""
    return str(obj["metadata"]["name"])


def spec(obj: Obj) -> dict[str, Any]:
    """Return the spec; {} when there is none."""
    return obj.get("spec") or {}


def status(obj: Obj) -> dict[str, Any]:
    """Return the status; {} when there is none."""
    return obj.get("status") or {}


def joined(values: Iterable[Any], empty: str = NONE) -> str:
    """Return the values with commas."""
    return ",".join(str(value) for value in values) or empty


def label_map(labels: Mapping[str, str] | None) -> str:
    """Return ``a=b,c=d`` ordered by key."""
    return joined(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def label_selector(selector: Mapping[str, Any] | None) -> str:
    """Return a metav1.LabelSelector as ``metav1.FormatLabelSelector`` does."""
    if selector is None:
        return NONE
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    parts.extend((rule["key"], _expression(rule)) for rule in selector.get("matchExpressions") or ())
    return joined(text for _, text in sorted(parts, key=lambda part: part[0]))


def _expression(rule: Mapping[str, Any]) -> str:
    operator, key = rule["operator"], rule["key"]
    if operator == "Exists":
        return str(key)
    if operator == "DoesNotExist":
        return f"!{key}"
    word = "in" if operator == "In" else "notin"
    return f"{key} {word} ({','.join(sorted(rule.get('values') or ()))})"


def containers(template: Mapping[str, Any]) -> tuple[str, str]:
    """Return the names and the images of a Pod template's containers."""
    found = (template.get("spec") or {}).get("containers") or ()
    return (
        ",".join(item.get("name", "") for item in found),
        ",".join(item.get("image", "") for item in found),
    )


DEFAULT = Printer(
    columns("Name,Created At:date"),
    lambda obj, now: [name(obj), obj["metadata"].get("creationTimestamp") or UNKNOWN],
)
