"""PodSecurity: a namespace admits Pods at the level that its labels enforce, and warns about others.

Pods are refused; of what makes Pods only warnings are given. The level ``audit`` has nobody to tell.

Source: ``k8s.io/pod-security-admission/{admission,api}`` (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.cluster.registry.failures import Failure, invalid, raise_if_any
from leeward.kube.objects import Obj, annotations_of, controller_of, labels_of
from leeward.kube.podsecurity import LEVELS, Level, violations

_PREFIX = "pod-security.kubernetes.io/"
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)")
_MODES = ("enforce", "audit", "warn")
_MOST = 3000  # Pods of a namespace that are looked at
_TEMPLATES = {
    "podtemplates": ("template",),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        (
            "replicationcontrollers", "replicasets.apps", "deployments.apps", "statefulsets.apps",
            "daemonsets.apps", "jobs.batch",
        ),
        ("spec", "template"),
    ),
}  # fmt: skip


class Rule(NamedTuple):
    """A level, and the version of its rules."""

    level: Level = "privileged"
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


def policy_of(labels: Mapping[str, str]) -> tuple[dict[str, Rule], list[Failure]]:
    """Return mode → rule of a namespace, and what is wrong with its labels.

    What cannot be understood is enforced as restricted, and neither audited nor warned about.
    """
    rules, failures = dict[str, Rule](), list[Failure]()
    for mode in _MODES:
        label, rule = f"{_PREFIX}{mode}", Rule()
        level, version = labels.get(label), labels.get(f"{label}-version")
        if level is not None:
            known = next((each for each in LEVELS if each == level), None)
            if known is None:
                text = "must be one of privileged, baseline, restricted"
                failures.append(invalid(f"metadata.labels[{label}]", level, text))
            rule = Rule(known or ("restricted" if mode == "enforce" else "privileged"))
        if version is not None:
            if version != "latest" and not _VERSION.fullmatch(version):
                field = f"metadata.labels[{label}-version]"
                failures.append(invalid(field, version, 'must be "latest" or "v1.x"'))
                version = "latest"
            rule = rule._replace(version=version)
        rules[mode] = rule
    return rules, failures


class PodSecurity:
    """Knows the levels of namespaces."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def validate_pod(self, write: Attributes) -> None:
        """Refuse a Pod that its namespace does not admit, or warn about it."""
        labels = self._labels(write)
        if labels is None or (write.old is not None and not _is_significant(write.obj, write.old)):
            return
        rules, _ = policy_of(labels)
        annotations = annotations_of(write.obj)
        broken = _told(rules["enforce"], write.obj["spec"], annotations)
        if broken:
            raise write.forbidden(f"violates PodSecurity {broken}")
        _warn(write, rules["warn"], write.obj["spec"], annotations)

    def validate_controller(self, write: Attributes) -> None:
        """Warn about what makes Pods that its namespace warns about."""
        labels = self._labels(write)
        if labels is None:
            return
        template: Obj = write.obj
        for part in _TEMPLATES[write.resource.name]:
            template = template.get(part) or {}
        if template.get("spec"):
            annotations = (template.get("metadata") or {}).get("annotations") or {}
            _warn(write, policy_of(labels)[0]["warn"], template["spec"], annotations)

    def _labels(self, write: Attributes) -> Mapping[str, str] | None:
        """Return the labels of the namespace, if any is about Pod Security."""
        namespace = self._reader.find("namespaces", "", write.namespace)
        labels = labels_of(namespace) if namespace else {}
        return labels if any(key.startswith(_PREFIX) for key in labels) else None

    def validate_namespace(self, write: Attributes) -> None:
        """Refuse labels that mean nothing; warn about Pods that are there and would be refused."""
        rules, failures = policy_of(labels_of(write.obj))
        if write.old is None:
            raise_if_any(write.resource, write.obj["metadata"]["name"], failures)
            return
        before, old_failures = policy_of(labels_of(write.old))
        if failures != old_failures:
            raise_if_any(write.resource, write.obj["metadata"]["name"], failures)
        new, old = rules["enforce"], before["enforce"]
        relaxed = new.version == old.version and LEVELS.index(new.level) >= LEVELS.index(old.level)
        if new.level != "privileged" and not relaxed:
            for text in self._existing(write.obj["metadata"]["name"], new):
                write.warn(text)

    def _existing(self, namespace: str, rule: Rule) -> list[str]:
        """Return warnings about the Pods of a namespace."""
        pods = _one_of_each_first(self._reader.list("pods", namespace))
        names: dict[str, list[str]] = {}
        for pod in pods[:_MOST]:
            broken = violations(rule.level, pod["spec"], annotations_of(pod))
            if broken:
                reasons = ", ".join(each.reason for each in broken)
                names.setdefault(reasons, []).append(pod["metadata"]["name"])
        warnings = []
        if len(pods) > _MOST:
            warnings.append(
                f"new PodSecurity enforce level only checked against the first {_MOST} of {len(pods)} "
                "existing pods"
            )
        if names:
            text = (
                f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{rule}"'
            )
            warnings.append(text)
        return warnings + sorted(f"{_who(found)}: {reasons}" for reasons, found in names.items())


def _one_of_each_first(pods: Sequence[Obj]) -> list[Obj]:
    """Return Pods, of each controller's the first before the others."""
    seen, first, others = set[str](), list[Obj](), list[Obj]()
    for pod in pods:
        owner = (controller_of(pod) or {}).get("uid")
        (others if owner in seen else first).append(pod)
        if owner:
            seen.add(owner)
    return first + others


def _who(names: Sequence[str]) -> str:
    more = len(names) - 1
    others = f" (and {more} other pod{'s' if more > 1 else ''})" if more else ""
    return f"{min(names)}{others}"


def _told(rule: Rule, spec: Obj, annotations: Mapping[str, str]) -> str:
    """Return the rule and what breaks it; "" when nothing does."""
    broken = violations(rule.level, spec, annotations)
    return f'"{rule}": {", ".join(map(str, broken))}' if broken else ""


def _warn(write: Attributes, rule: Rule, spec: Obj, annotations: Mapping[str, str]) -> None:
    broken = _told(rule, spec, annotations)
    if broken:
        write.warn(f"would violate PodSecurity {broken}")


def _is_significant(new: Obj, old: Obj) -> bool:
    """Tell whether an update of a Pod changes what the rules are about: containers and their images."""
    for field in ("containers", "initContainers"):
        after, before = (pod["spec"].get(field) or () for pod in (new, old))
        if [each.get("image") for each in after] != [each.get("image") for each in before]:
            return True
    images = {each.get("name"): each.get("image") for each in old["spec"].get("ephemeralContainers") or ()}
    added = new["spec"].get("ephemeralContainers") or ()
    return any(images.get(each.get("name"), object()) != each.get("image") for each in added)


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = PodSecurity(context.reader)
    writes = ("CREATE", "UPDATE")
    return (
        Handler(
            operations=writes,
            resources=("pods",),
            subresources=("", "ephemeralcontainers", "resize"),
            validate=plugin.validate_pod,
        ),
        Handler(operations=writes, resources=tuple(_TEMPLATES), validate=plugin.validate_controller),
        Handler(operations=writes, resources=("namespaces",), validate=plugin.validate_namespace),
    )


DESCRIPTOR = PluginDescriptor(name="PodSecurity", build=build)
