"""How a container comes and goes: hooks, drain, grace period, stop signal.

A Pod that serves keeps serving for a few seconds after it was told to stop, because proxies and load
balancers learn of it later; that time is added to Compose's grace period.

Source: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle (termination).
"""

from __future__ import annotations

import shlex
from typing import Any

from leeward.compose.project import Hook
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.plan import Kind
from leeward.render.quantity import whole_seconds

DEFAULT_GRACE = 10.0  # Docker's
DRAIN_EMBEDDED = 2  # seconds; the embedded proxy learns at once
DRAIN = 10  # seconds; cloud load balancers poll


def _shell(hook: Hook) -> str:
    """Return the hook as one line of shell."""
    line = shlex.join(hook.command)
    values = {name: value for name, value in hook.environment.items() if value is not None}
    if values:
        line = shlex.join(["env", *(f"{name}={value}" for name, value in values.items())]) + f" {line}"
    return f"cd {shlex.quote(hook.working_dir)} && {line}" if hook.working_dir else line


def _exec(context: ServiceContext, key: str, hooks: tuple[Hook, ...]) -> dict[str, Any]:
    for index, hook in enumerate(hooks):
        if hook.user or hook.privileged:
            context.warn(
                (key, index),
                "ignored",
                "A hook runs as the container's own user, without more privileges.",
                "Remove user and privileged.",
            )
    if len(hooks) == 1 and not hooks[0].environment and not hooks[0].working_dir:
        return {"exec": {"command": list(hooks[0].command)}}
    return {"exec": {"command": ["/bin/sh", "-c", " && ".join(map(_shell, hooks))]}}


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    service = context.service
    check = service.healthcheck
    answers = bool(context.plan.ports or (check and check.test and not check.disable))
    serving = answers and context.plan.kind is not Kind.JOB
    drain = (DRAIN_EMBEDDED if context.options.on_embedded else DRAIN) if serving else 0
    lifecycle: dict[str, Any] = {}
    if service.post_start:
        lifecycle["postStart"] = _exec(context, "post_start", service.post_start)
    if service.pre_stop:
        lifecycle["preStop"] = _exec(context, "pre_stop", service.pre_stop)
        if drain:
            context.note(
                ("pre_stop",),
                "no-drain",
                "The hook takes the place of the drain pause before the Pod stops.",
                "Let the hook wait a few seconds.",
            )
    elif drain:
        lifecycle["preStop"] = {"sleep": {"seconds": drain}}
    if service.stop_signal:
        signal = service.stop_signal.upper()
        lifecycle["stopSignal"] = signal if signal.startswith("SIG") else f"SIG{signal}"
        draft.spec["os"] = {"name": "linux"}
        context.note(
            ("stop_signal",),
            "approximated",
            "Clusters without the feature ContainerStopSignals use the image's signal.",
            "Set STOPSIGNAL in the image too.",
        )
    if lifecycle:
        draft.container["lifecycle"] = lifecycle
    grace = service.stop_grace_period if service.stop_grace_period is not None else DEFAULT_GRACE
    draft.spec["terminationGracePeriodSeconds"] = whole_seconds(grace, least=0) + drain


DESCRIPTOR = Renderer(name="lifecycle", pod=_pod)
