"""What a Job's Pod failure policy says about a failed Pod. Pure.

Source: pkg/controller/job/pod_failure_policy.go (Kubernetes 1.36).
"""

from __future__ import annotations

from typing import NamedTuple

from leeward.kube.objects import Obj, find_condition


class Verdict(NamedTuple):
    """What follows from a failure."""

    action: str  # of the rule that matches: Ignore, Count, FailIndex, FailJob; "" when none does
    counts: bool  # towards a back-off limit
    message: str = ""  # why the Job fails


def judge(job: Obj, pod: Obj) -> Verdict:
    """Return what the first rule that matches says of a failed Pod."""
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        found = _match(rule, pod)
        if found:
            action = rule["action"]
            message = f"{found} matching {action} rule at index {number}" if action == "FailJob" else ""
            return Verdict(action, action != "Ignore", message)
    return Verdict("", counts=True)


def _match(rule: Obj, pod: Obj) -> str:
    """Return what of a Pod a rule is about; "" when nothing is."""
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    for wanted in rule.get("onPodConditions") or ():
        condition = find_condition(pod, wanted["type"])
        if condition is not None and condition.get("status") == wanted.get("status", "True"):
            return f"Pod {name} has condition {wanted['type']}"
    codes = rule.get("onExitCodes")
    for container in containers_of(pod) if codes else ():
        code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode")
        if codes is None or codes.get("containerName") not in (None, container["name"]) or not code:
            continue
        if (code in (codes.get("values") or ())) == (codes.get("operator") == "In"):
            return f"Container {container['name']} for pod {name} failed with exit code {code}"
    return ""


def containers_of(pod: Obj) -> list[Obj]:
    """Return the statuses of a Pod's containers."""
    status = pod.get("status") or {}
    return [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
