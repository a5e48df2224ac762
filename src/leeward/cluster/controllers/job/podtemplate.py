"""The Pods of a Job. Pure.

Source: pkg/controller/job/job_controller.go (manageJob), indexed_job_utils.go (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.controllers.job.backoff import failure_annotations
from leeward.cluster.controllers.job.indexes import INDEX
from leeward.cluster.controllers.job.tally import TRACKING
from leeward.kube.objects import Obj
from leeward.kube.pods import pod_from_template

VARIABLE = "JOB_COMPLETION_INDEX"
_LONGEST = 58  # characters of a generated name before its suffix


def make_pod(job: Obj, index: int | None, replaced: Obj | None) -> Obj:
    """Return the next Pod of a Job, tracked until it is counted.

    Args:
        job: the Job.
        index: its completion index; None when NonIndexed.
        replaced: the failed Pod that it replaces, where failures are counted by index.
    """
    template, name = job["spec"]["template"], job["metadata"]["name"]
    meta = template.get("metadata") or {}
    finalizers = [*(meta.get("finalizers") or ())]
    if TRACKING not in finalizers:
        finalizers.append(TRACKING)
    template = {**template, "metadata": {**meta, "finalizers": finalizers}}
    if index is None:
        return pod_from_template(job, template, generateName=f"{name}-")
    annotations = {INDEX: str(index)}
    if job["spec"].get("backoffLimitPerIndex") is not None:
        annotations |= failure_annotations(job, replaced)
    spec = {**_with_variable(template["spec"]), "hostname": f"{name}-{index}"}
    tail = f"-{index}-"
    return pod_from_template(
        job,
        {**template, "spec": spec},
        generateName=f"{name[: _LONGEST - len(tail)]}{tail}",
        annotations=annotations,
        labels={INDEX: str(index)},
    )


def _with_variable(spec: Obj) -> Obj:
    """Tell every container its completion index, unless it says itself where to take it from."""
    source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
    entry = {"name": VARIABLE, "valueFrom": source}
    result = dict(spec)
    for field in ("initContainers", "containers"):
        if field in result:
            result[field] = [_with_entry(each, entry) for each in result[field]]
    return result


def _with_entry(container: Obj, entry: Obj) -> Obj:
    env = container.get("env") or ()
    if any(each["name"] == VARIABLE for each in env):
        return container
    return {**container, "env": [*env, entry]}
