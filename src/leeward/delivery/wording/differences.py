"""What a release changes in an environment, in Compose's words: what people approve and read in the history.

Two sets of rendered objects are compared, those that run and those that shall. Every difference has a line;
those that are dangerous are marked: what cannot be undone, what the cluster refuses to change, what others
reach no longer. Values that look secret are never shown. Pure.

Approvals are bound to :func:`diff_hash`, which is of the objects, not of these words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from leeward.delivery.promotion.manifests import without_values
from leeward.delivery.records import digest_of
from leeward.delivery.wording import values as valuewords
from leeward.delivery.wording.compose import facts_of
from leeward.delivery.wording.facts import ASPECTS, Fact, Facts, Key, subject_of
from leeward.delivery.wording.leftovers import Field, fields, identity_of, is_content, is_fixed, left_of, said
from leeward.delivery.wording.mounts import file_name
from leeward.delivery.wording.values import HIDDEN, plain
from leeward.kube.objects import Obj, labels_of
from leeward.kube.wellknown import APP_NAME

Danger = Literal["", "data", "fixed", "again", "unreachable"]
_MOUNTED = ("config", "secret", "files", "volume")  # what they are called is in what is shown of them
_WORKLOAD, _OTHER = len(ASPECTS), len(ASPECTS) + 1  # ranks
_KEPT = "its data stays in the claim until somebody deletes that"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What there is before or after."""

    objects: Sequence[Obj] = ()
    version: str = ""  # of the release: "1.2"
    images: Mapping[str, str] = field(default_factory=dict)  # image reference → its version


@dataclass(frozen=True, slots=True)
class Line:
    """One difference."""

    subject: str  # a service, or "config catalogue"
    text: str
    danger: Danger = ""  # data is lost, it is fixed, it runs again, others do not reach it
    rank: int = -1  # less is more important

    def __str__(self) -> str:
        return f"{self.subject}: {'BREAKING: ' if self.danger else ''}{self.text}"


def diff_hash(before: Sequence[Obj], after: Sequence[Obj], variables_version: int) -> str:
    """Return ``sha256:…`` of exactly what would be applied, over what, and removed.

    The order of objects and the values of Secrets, whose names and version of variables say which they are,
    have no part in it.

    Args:
        before: what runs.
        after: what shall.
        variables_version: of the environment.
    """
    old, new = _by_place(before), _by_place(after)
    changed = {name: [digest_of(old[name]) if name in old else "", obj] for name, obj in new.items()}
    removed = {name: digest_of(obj) for name, obj in old.items() if name not in new}
    return digest_of({"applied": changed, "removed": removed, "variables": variables_version})


def _by_place(objects: Sequence[Obj]) -> dict[str, Obj]:
    found: dict[str, Obj] = {}
    for obj in without_values(objects):
        meta = obj["metadata"]
        found["/".join((obj["apiVersion"], obj["kind"], meta.get("namespace") or "", meta["name"]))] = obj
    return found


def differences(before: Side, after: Side, *, runs_jobs: bool = True) -> list[Line]:
    """Return what is otherwise, by service: those with dangers first, the most important of each first.

    Args:
        before: what runs.
        after: what shall.
        runs_jobs: False when what was there is restored, and Jobs are not run again.
    """
    old, new = facts_of(before.objects), facts_of(after.objects)
    lines = [
        line
        for subject in dict.fromkeys((*old, *new))
        for line in _of_subject(subject, old.get(subject, {}), new.get(subject, {}), before, after)
    ]
    services = {name for name in (*old, *new) if _is_service({**old.get(name, {}), **new.get(name, {})})}
    if not runs_jobs:
        lines = [line for line in lines if line.danger != "again"]
    whole = {line.subject for line in lines if line.rank < 0}
    told = whole | {line.subject for line in lines if line.rank == ASPECTS.index("port")}
    lines += [line for line in _leftovers(before.objects, after.objects, told) if line.subject not in whole]
    dangerous = {line.subject for line in lines if line.danger}
    return sorted(
        dict.fromkeys(lines),
        key=lambda line: (
            line.subject not in dangerous,
            line.subject not in services,
            line.subject,
            not line.danger,
            line.rank,
            line.text.lstrip("+- "),
        ),
    )


def summary(lines: Sequence[Line]) -> list[str]:
    """Return lines as text; one that says so when there are none."""
    return [str(line) for line in lines] or ["nothing changes"]


# -- services


def _is_service(facts: Facts) -> bool:
    return ("image", "") in facts


def _of_subject(subject: str, old: Facts, new: Facts, before: Side, after: Side) -> Iterator[Line]:
    if _is_service(old) != _is_service(new):
        yield _whole(subject, old, new)
        return
    secrets: list[str] = []
    for key in dict.fromkeys((*old, *new)):
        one, other = old.get(key), new.get(key)
        if one == other or _is_part(key, old, new):
            continue
        if key[0] == "environment" and one and other and one.shown == other.shown == HIDDEN:
            secrets.append(key[1])
        elif key[0] == "image" and one and other:
            yield Line(subject, _image(one.shown, other.shown, before, after), rank=_rank(key))
        else:
            yield from _line(subject, key, one, other, _is_stateful(old) and _is_stateful(new))
    if secrets:
        certain = len(secrets) == 1 and {key for key in old if key[0] == "environment"} == {
            key for key in new if key[0] == "environment"
        }
        names = ", ".join(sorted(secrets))
        text = "secret value changed" if certain else "secret values, of which some may have changed"
        yield Line(subject, f"environment {names}: {text}", rank=ASPECTS.index("environment"))


def _is_stateful(facts: Facts) -> bool:
    return facts.get(("runs as", ""), Fact()).shown == "StatefulSet"


def _is_part(key: Key, old: Facts, new: Facts) -> bool:
    """Tell whether something comes or goes with a whole that is told: the interval with its health check."""
    whole = (key[0], "")
    return key != whole and (whole in old) != (whole in new)


def _rank(key: Key) -> int:
    return ASPECTS.index(key[0]) if key[0] in ASPECTS else _WORKLOAD


def _whole(subject: str, old: Facts, new: Facts) -> Line:
    """Return the line for a service that comes or goes."""
    facts = new or old
    image = "".join(valuewords.split_image(facts.get(("image", ""), Fact()).shown))
    if _is_service(new):
        number = facts.get(("replicas", ""), Fact("1")).shown
        return Line(subject, f"+ service ({image}{'' if number == '1' else f', {number} replicas'})")
    ports = [f"port {fact.shown}" for (aspect, _), fact in old.items() if aspect == "port"]
    hosts = [f"host {item}" for aspect, item in old if aspect == "host"]
    kept = [f"volume {item}, {_KEPT}" for aspect, item in old if aspect == "claim"]
    lost = "; ".join(filter(None, (", ".join([*hosts, *ports]), *kept)))
    danger: Danger = "data" if kept else "unreachable" if lost else ""
    return Line(subject, f"- service{f' ({lost})' if lost else ''}", danger)


def _image(old: str, new: str, before: Side, after: Side) -> str:
    one, other = valuewords.images(old, new)
    versions = before.images.get(old, before.version), after.images.get(new, after.version)
    called = f" ({versions[0]} → {versions[1]})" if all(versions) and versions[0] != versions[1] else ""
    return f"image {plain(one)} → {plain(other)}{called}" if one != other else f"image {plain(one)}: changed"


def _line(subject: str, key: Key, one: Fact | None, other: Fact | None, stateful: bool) -> Iterator[Line]:
    aspect, item = key
    rank = _rank(key)
    if one and other and aspect in ("config", "secret") and file_name(one) != file_name(other):
        name = other.shown.partition(":")[0]
        if one.shown.partition(":")[0] == name:
            yield Line(f"{aspect} {name}", "content changed", rank=rank)
            return
    danger = _danger(key, one, other, stateful)
    if aspect == "job":
        yield Line(subject, "runs again" if one and other else "runs once", danger, rank)
    elif aspect == "claim":
        yield Line(subject, _claim(subject, item, one, other, stateful), danger, rank)
    else:
        yield Line(subject, f"{_text(aspect, item, one, other)}{_WHY.get(danger, '')}", danger, rank)


_OF_PODS = "a StatefulSet's volumes cannot be changed"
_WHY = {"fixed": ", for which it has to be made anew"}


def _danger(key: Key, one: Fact | None, other: Fact | None, stateful: bool) -> Danger:
    """Tell what is dangerous about a difference."""
    aspect = key[0]
    if aspect == "claim" and other is None:
        return "data"
    if aspect == "claim":
        return "fixed" if one is not None or stateful else ""
    if aspect == "job":
        return "again" if one and other else ""
    if aspect == "runs as":
        return "fixed" if one and other else ""
    if aspect == "host":
        return "" if other else "unreachable"
    if aspect == "port" and one is not None:
        had = {text for text in one.shown.split(", ") if other is None or ":" in text}
        has = set(other.shown.split(", ")) if other is not None else set()
        return "unreachable" if had - has else ""
    return ""


def _claim(subject: str, item: str, one: Fact | None, other: Fact | None, stateful: bool) -> str:
    own = subject == f"volume {item}"
    name = "" if own else f"volume {item} "
    why = _OF_PODS if stateful else "it keeps its class and access, and only grows, where its class allows it"
    if one is None:
        made = f"({other.shown if other else ''}){f': {_OF_PODS}' if stateful else ''}"
        return f"added {made}" if own else f"+ {name}{made}"
    if other is None:
        return f"removed: {_KEPT}" if own else f"- {name.strip()}: {_KEPT}"
    if one.shown == other.shown:
        return f"{name}changed: {why}"
    return f"{name}{one.shown} → {other.shown}: {why}"


def _text(aspect: str, item: str, one: Fact | None, other: Fact | None) -> str:
    """Return the words for one fact that is otherwise."""
    if aspect == "port" or aspect in _MOUNTED:
        item = ""
    name = f"{aspect} {item}".strip()
    if one is None or other is None:
        fact = one or other or Fact()
        value = "" if aspect == "environment" or not fact.shown else f" {fact.shown}"
        return f"{'-' if other is None else '+'} {name}{value}"
    if one.shown != other.shown:
        return f"{name} {one.shown} → {other.shown}"
    where = f" {one.shown}" if aspect in _MOUNTED else ""
    what = "content changed" if aspect == "files" else "leads elsewhere" if aspect == "host" else "changed"
    return f"{name}{where}: {what}"


# -- what is left


def _leftovers(before: Sequence[Obj], after: Sequence[Obj], told: set[str]) -> Iterator[Line]:
    """Yield what no fact says, of objects that are not only the content of others.

    Args:
        before: what runs.
        after: what shall.
        told: services whose ports are told already, and with them who may reach these.
    """
    old, new = ({identity_of(obj): obj for obj in each if not is_content(obj)} for each in (before, after))
    for place in dict.fromkeys((*old, *new)):
        one, other = old.get(place), new.get(place)
        obj = other or one or {}
        subject, kind = subject_of(obj), obj["kind"]
        if kind == "NetworkPolicy" and subject in told:
            continue
        if one is None or other is None:
            if not facts_of([obj]):
                yield Line(subject, _comes(obj, subject, other is not None), rank=_OTHER)
            continue
        for found in fields(left_of(one), left_of(other)):
            yield _left(subject, other, found)


def _comes(obj: Obj, subject: str, is_new: bool) -> str:
    """Return the words for an object that comes or goes."""
    if labels_of(obj).get(APP_NAME):
        return f"{'+' if is_new else '-'} {_called(obj, subject)}"
    return "added" if is_new else "removed"


def _left(subject: str, obj: Obj, found: Field) -> Line:
    kind = obj["kind"]
    text = said(found) if identity_of(obj)[0] == "" else f"{_called(obj, subject)}: {said(found)}"
    if is_fixed(kind, found.path):
        return Line(subject, f"{text}, which cannot be changed: it has to be made anew", "fixed", _WORKLOAD)
    if kind == "Service" and found.path.startswith("spec.selector"):
        return Line(subject, f"{text}, so that it leads elsewhere", "unreachable", _OTHER)
    return Line(subject, text, rank=_WORKLOAD if identity_of(obj)[0] == "" else _OTHER)


def _called(obj: Obj, subject: str) -> str:
    """Return what an object is called next to its subject."""
    name = f"{obj['kind']} {obj['metadata']['name']}"
    return obj["kind"] if subject in (name, obj["metadata"]["name"]) else name
