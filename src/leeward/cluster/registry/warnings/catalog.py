"""Which kinds there are warnings about.

A rule gets the object as it was stored and, for a change, as it was before.

Source: WarningsOnCreate and WarningsOnUpdate of pkg/registry (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from leeward.cluster.registry.validation.formats import dns_label
from leeward.cluster.registry.warnings import objects
from leeward.cluster.registry.warnings.pods import claim_warnings, pod_warnings, template_warnings
from leeward.kube.objects import Obj

Rule = Callable[[Obj, Obj | None], list[str]]
_LABEL = "which can result in surprising behavior; a DNS label is recommended"
_LIMIT = (
    "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is "
    "recommended"
)
_MANY = (
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
    "Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
)
_ZONES = (  # the path is upstream's
    "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)


def warnings_about(resource: str, new: Obj, old: Obj | None = None) -> list[str]:
    """Return warnings about a new object, or about what changed of one."""
    rule = _RULES.get(resource)
    return rule(new, old) if rule is not None else []


def _name(obj: Obj, used: str) -> list[str]:
    wrong = dns_label(obj["metadata"].get("name") or "")
    return [f"metadata.name: this is used in {used}, {_LABEL}: [{' '.join(wrong)}]"] if wrong else []


def _pod(new: Obj, old: Obj | None) -> list[str]:
    return [] if old is not None else _name(new, "the Pod's hostname") + pod_warnings(new)


def _is_same(new: Obj, old: Obj | None) -> bool:
    """Tell whether nothing changed that counts as a generation."""
    return old is not None and new["metadata"].get("generation") == old["metadata"].get("generation")


def _workload(new: Obj, old: Obj | None) -> list[str]:
    if _is_same(new, old):
        return []
    found = [] if old is not None else _name(new, "Pod names and hostnames")
    return found + template_warnings(new["spec"].get("template"), "spec.template")


def _stateful_set(new: Obj, old: Obj | None) -> list[str]:
    spec, part = new["spec"], "" if old is None else ".Spec"  # as upstream spells it
    found = [] if _is_same(new, old) else template_warnings(spec.get("template"), "spec.template")
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        found += claim_warnings(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}]{part}")
    return [*found, _LIMIT] if (spec.get("revisionHistoryLimit") or 0) < 0 else found


def _daemon_set(new: Obj, old: Obj | None) -> list[str]:
    return [] if _is_same(new, old) else template_warnings(new["spec"].get("template"), "spec.template")


def _job_spec(spec: Obj, field: str) -> list[str]:
    many = (spec.get("completions") or 0) > 100_000 and (spec.get("parallelism") or 0) > 10_000
    found = [f"{field}: {_MANY}"] if many and spec.get("completionMode") == "Indexed" else []
    return found + template_warnings(spec.get("template"), f"{field}.template")


def _job(new: Obj, old: Obj | None) -> list[str]:
    if _is_same(new, old):
        return []
    found = [] if old is not None else _name(new, "Pod names and hostnames")
    return found + _job_spec(new["spec"], "spec")


def _cron_job(new: Obj, old: Obj | None) -> list[str]:
    spec = new["spec"]
    found = [] if old is not None else _name(new, "Pod names and hostnames")
    if not _is_same(new, old):
        found += _job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")
    return [*found, _ZONES] if old is not None and "TZ" in (spec.get("schedule") or "") else found


def _template(new: Obj, old: Obj | None) -> list[str]:
    same = old is not None and new.get("template") == old.get("template")
    return [] if same else template_warnings(new.get("template"), "template")


_RULES: Mapping[str, Rule] = {
    "pods": _pod,
    "podtemplates": _template,
    "services": objects.service_warnings,
    "persistentvolumes": objects.volume_warnings,
    "endpointslices.discovery.k8s.io": objects.slice_warnings,
    "ingresses.networking.k8s.io": objects.ingress_warnings,
    "replicationcontrollers": _workload,
    "deployments.apps": _workload,
    "replicasets.apps": _workload,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
}
