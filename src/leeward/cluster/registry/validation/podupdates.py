"""What may change of a Pod: by an update, by its ephemeral containers, by a resize.

Source: pkg/apis/core/validation/validation.go ValidatePodUpdate, ValidatePodEphemeralContainersUpdate,
ValidatePodResize (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leeward.cluster.registry.failures import Failure, forbidden, go_struct, invalid, required
from leeward.cluster.registry.validation.containers import image_failures
from leeward.cluster.registry.validation.diff import struct_diff
from leeward.cluster.registry.validation.formats import between
from leeward.cluster.registry.validation.podannotations import MIRROR, pod_annotation_update_failures
from leeward.cluster.registry.validation.pods import MAX_SECONDS, pod_failures
from leeward.cluster.registry.validation.resources import amount
from leeward.cluster.registry.validation.scheduling import toleration_failures
from leeward.kube.objects import Obj

_FROZEN = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def pod_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check what changes of a Pod: images and a few fields more."""
    after, before = new["spec"], old["spec"]
    found = pod_annotation_update_failures(new, old)
    if after == before:
        return found
    for kind in ("containers", "initContainers"):
        if len(after.get(kind) or ()) != len(before.get(kind) or ()):
            return [*found, forbidden(f"spec.{kind}", "pod updates may not add or remove containers")]
        found += _images(after.get(kind) or (), f"spec.{kind}")
    wrong = _deadline(after.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    found += wrong
    if wrong and after.get("activeDeadlineSeconds") is not None:
        return found
    found += _only_added(after.get("tolerations") or (), before.get("tolerations") or ())
    gates = {gate.get("name") for gate in before.get("schedulingGates") or ()}
    for index, gate in enumerate(after.get("schedulingGates") or ()):
        if gate.get("name") not in gates:
            text = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            found.append(forbidden(f"spec.schedulingGates[{index}].name", text))
    munged = _munged(after, before)
    if gates:
        found += _gated(munged, before)
    if munged != before:
        found.append(forbidden("spec", _FROZEN))
    return found


def _images(containers: Sequence[Obj], field: str) -> list[Failure]:
    found: list[Failure] = []
    for index, container in enumerate(containers):
        place = f"{field}[{index}]"
        if not container.get("image"):
            found.append(required(f"{place}.image"))
        found += image_failures(container, place)
    return found


def _deadline(after: int | None, before: int | None) -> list[Failure]:
    place = "spec.activeDeadlineSeconds"
    if after is None:
        text = "must not update from a positive integer to nil value"
        return [] if before is None else [invalid(place, None, text)]
    if not 0 <= after <= MAX_SECONDS:
        return [invalid(place, after, between(0, MAX_SECONDS))]
    if before is not None and before < after:
        return [invalid(place, after, "must be less than or equal to previous value")]
    return []


def _only_added(after: Sequence[Obj], before: Sequence[Obj]) -> list[Failure]:
    def lasting(toleration: Obj) -> Obj:
        return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}

    there = [lasting(each) for each in after]
    if all(lasting(each) in there for each in before):
        return toleration_failures(after, "spec.tolerations")
    text = "existing toleration can not be modified except its tolerationSeconds"
    return [forbidden("spec.tolerations", text)]


def _munged(after: Obj, before: Obj) -> Obj:
    """Return the new spec with everything that may change as it was."""
    munged = dict(after)
    for kind in ("containers", "initContainers"):
        if after.get(kind):
            pairs = zip(after[kind], before[kind], strict=True)
            munged[kind] = [{**new, "image": old.get("image")} for new, old in pairs]
    for name in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        munged.pop(name, None)
        if name in before:
            munged[name] = before[name]
    grace = before.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0 and after.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = grace
    return munged


def _gated(munged: Obj, before: Obj) -> list[Failure]:
    """A Pod that waits at a gate may be narrowed down; what was allowed is set back in `munged`."""
    found: list[Failure] = []
    had, has = before.get("nodeSelector") or {}, munged.get("nodeSelector") or {}
    if had != has:
        if any(has.get(key) != value for key, value in had.items()):
            text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            found.append(invalid("spec.nodeSelector", has, text))
        _restore(munged, before, "nodeSelector")
    node = "nodeAffinity"
    was, now = (each.get("affinity") or {} for each in (before, munged))
    if was.get(node) != now.get(node):
        found += _narrowed(now.get(node) or {}, was.get(node) or {})
        affinity = {key: value for key, value in now.items() if key != node}
        if node in was:
            affinity[node] = was[node]
        munged["affinity"] = affinity
        if not affinity or affinity == was:
            _restore(munged, before, "affinity")
    return found


def _restore(munged: Obj, before: Obj, name: str) -> None:
    munged.pop(name, None)
    if name in before:
        munged[name] = before[name]


def _narrowed(now: Obj, was: Obj) -> list[Failure]:
    field, needed = "spec.affinity.nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    before, after = was.get(needed), now.get(needed)
    if not before or not before.get("nodeSelectorTerms"):
        return []
    terms, new_terms = before["nodeSelectorTerms"], (after or {}).get("nodeSelectorTerms") or []
    place = f"{field}.{needed}.nodeSelectorTerms"
    if len(terms) != len(new_terms):
        text = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid(place, new_terms, text)]
    text = "only additions are allowed (no mutations or deletions)"
    return [
        invalid(f"{place}[{index}]", new, text)
        for index, (old, new) in enumerate(zip(terms, new_terms, strict=True))
        if not _only_more(new, old)
    ]


def _only_more(new: Obj, old: Obj) -> bool:
    """Tell whether a term has what it had, in order; an empty one, which matches nothing, stays empty."""
    kinds = ("matchExpressions", "matchFields")
    had, has = ([term.get(kind) or [] for kind in kinds] for term in (old, new))
    if not any(had):
        return not any(has)
    return all(now[: len(then)] == then for now, then in zip(has, had, strict=True))


def ephemeral_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that ephemeral containers were only added."""
    if MIRROR in (old["metadata"].get("annotations") or {}):
        return [forbidden("", "static pods do not support ephemeral containers")]
    after = {each.get("name"): each for each in new["spec"].get("ephemeralContainers") or ()}
    found = pod_failures(new) + pod_annotation_update_failures(new, old)
    for each in old["spec"].get("ephemeralContainers") or ():
        name = each.get("name")
        if name not in after:
            text = f'existing ephemeral containers "{name}" may not be removed\n'
            found.append(forbidden("spec.ephemeralContainers", text))
        elif after[name] != each:
            changed = struct_diff(_internal(each), _internal(after[name]))
            text = f'existing ephemeral containers "{name}" may not be changed\n{changed}'
            found.append(forbidden("spec.ephemeralContainers", text))
    return found


def _internal(container: Obj) -> Obj:
    """Return an ephemeral container as upstream shows it."""
    resources = go_struct(container.get("resources"), Limits=None, Requests=None, Claims=None)
    made = go_struct(
        container,
        Name="", Image="", Command=None, Args=None, WorkingDir="", Ports=None, EnvFrom=None, Env=None,
        Resources=None,
        ResizePolicy=None, RestartPolicy=None, RestartPolicyRules=None, VolumeMounts=None, VolumeDevices=None,
        LivenessProbe=None, ReadinessProbe=None, StartupProbe=None, Lifecycle=None, TerminationMessagePath="",
        TerminationMessagePolicy="", ImagePullPolicy="", SecurityContext=None, Stdin=False, StdinOnce=False,
    )  # fmt: skip
    last = {
        "TTY": container.get("tty", False),
        "TargetContainerName": container.get("targetContainerName", ""),
    }
    return {**made, "Resources": resources, **last}


# Resizing -----------------------------------------------------------------------------------------

_CHANGEABLE = ("cpu", "memory")
_ONLY = "only cpu and memory resources are mutable"
_ONLY_OF_INIT = "only cpu and memory resources for init or sidecar containers are mutable"
_NO_RESTART = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"


def resize_failures(new: Obj, old: Obj, classes: tuple[str, str]) -> list[Failure]:
    """Check that a resize changes processors and memory of containers, and nothing else.

    Args:
        new: with the new resources.
        old: as it is.
        classes: of the quality of service of the old Pod, and what the new one's would be.
    """
    if MIRROR in (old["metadata"].get("annotations") or {}):
        return [forbidden("", "static pods cannot be resized")]
    if (old["spec"].get("os") or {}).get("name") == "windows":
        return [forbidden("", "windows pods cannot be resized")]
    found = pod_failures(new)
    if classes[0] != classes[1]:
        text = "Pod QOS Class may not change as a result of resizing"
        found.append(invalid("spec", classes[0], text))
    if not _can_be_resized(old):
        found.append(forbidden("spec", "Pod running on node without support for resize"))
    found += _of_pod(new["spec"].get("resources"), old["spec"].get("resources"))
    others = _others_than(new["spec"], old["spec"])
    if others:
        return found + others
    return found + _of_containers(new["spec"], old["spec"])


def _can_be_resized(pod: Obj) -> bool:
    """A node that can resize says in the status of a running container what it has."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if (status.get("state") or {}).get("running") is not None:
            return status.get("resources") is not None
    return True


def _of_pod(after: Obj | None, before: Obj | None) -> list[Failure]:
    """Check resources of the Pod as a whole."""
    if before is not None and after is None:
        return [forbidden("spec.resources", "pod-level resources cannot be removed")]
    found = [
        forbidden(f"spec.resources.{kind}", f"pod-level resource {kind} cannot be removed")
        for kind in ("requests", "limits")
        if _lost(after, before, kind)
    ]
    if not _same_others(after, before):
        found.append(forbidden("spec", f"{_ONLY} at pod-level"))
    return found


def _others_than(after: Obj, before: Obj) -> list[Failure]:
    """Check that they are the same containers, in the same order."""
    found: list[Failure] = []
    for kind in ("containers", "initContainers"):
        new, old = after.get(kind) or (), before.get(kind) or ()
        if len(new) != len(old):
            found.append(forbidden(f"spec.{kind}", f"{kind} may not be added or removed on resize"))
            continue
        text = f"{kind} may not be renamed or reordered on resize"
        found += [
            forbidden(f"spec.{kind}[{index}].name", text)
            for index, (wanted, had) in enumerate(zip(new, old, strict=True))
            if wanted.get("name") != had.get("name")
        ]
    return found


def _of_containers(after: Obj, before: Obj) -> list[Failure]:
    pairs = {
        kind: list(zip(after.get(kind) or (), before.get(kind) or (), strict=True))
        for kind in ("initContainers", "containers")
    }
    found = [
        forbidden(f"spec.{kind}[{index}].resources.{part}", f"resource {part} cannot be removed")
        for kind, each in pairs.items()
        for index, (wanted, had) in enumerate(each)
        for part in ("requests", "limits")
        if _lost(wanted.get("resources"), had.get("resources"), part)
    ]
    found += [
        forbidden("spec", _ONLY)
        for wanted, had in pairs["containers"]
        if not _same_others(wanted.get("resources"), had.get("resources"))
    ]
    for index, (wanted, had) in enumerate(pairs["initContainers"]):
        place = f"spec.initContainers[{index}]"
        if not _same_others(wanted.get("resources"), had.get("resources")):
            found.append(forbidden(place, _ONLY_OF_INIT))
        restarts = any(
            each.get("restartPolicy") == "RestartContainer" for each in had.get("resizePolicy") or ()
        )
        if restarts and had.get("restartPolicy") != "Always" and wanted != had:
            found.append(forbidden(place, _NO_RESTART))
    return found


def _lost(after: Obj | None, before: Obj | None, kind: str) -> bool:
    return bool(_amounts(before, kind).keys() - _amounts(after, kind).keys())


def _same_others(after: Obj | None, before: Obj | None) -> bool:
    """Tell whether resources are the same, apart from what a resize may change."""
    new, old = (
        [
            {n: amount(v) for n, v in _amounts(each, kind).items() if n not in _CHANGEABLE}
            for kind in ("requests", "limits")
        ]
        for each in (after, before)
    )
    return new == old and (after or {}).get("claims") == (before or {}).get("claims")


def _amounts(resources: Obj | None, kind: str) -> Mapping[str, Any]:
    return (resources or {}).get(kind) or {}
