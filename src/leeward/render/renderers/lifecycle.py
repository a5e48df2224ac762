"""How a container comes and goes: hooks, drain, grace period, stop signal.

A Pod that serves keeps serving for a few seconds after it was told to stop, because proxies and load
balancers learn of it later; that time is added to Compose's grace period. A hook runs after the pause where
the image surely has a shell to wait with, else instead of it.

Source: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle (termination).
"""

from __future__ import annotations

import shlex
from typing import Any

from leeward.compose.project import Hook
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.quantity import whole_seconds
from leeward.render.renderers.shell import SHELL, has_shell

DEFAULT_GRACE = 10.0  # Docker's
DRAIN_EMBEDDED = 2  # seconds; the embedded proxy learns at once
DRAIN = 10  # seconds; cloud load balancers poll


def _shell(hook: Hook) -> str:
    """Return the hook as one line of shell."""
    values = {name: value for name, value in hook.environment.items() if value is not None}
    assignments = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    line = " ".join([*assignments, shlex.join(hook.command)])
    return f"(cd {shlex.quote(hook.working_dir)} && {line})" if hook.working_dir else line


def _exec(context: ServiceContext, key: str, hooks: tuple[Hook, ...], *, drain: int = 0) -> dict[str, Any]:
    """Return the hooks, one after another as far as they succeed, after `drain` seconds."""
    for index, hook in enumerate(hooks):
        if hook.user or hook.privileged:
            context.warn(
                (key, index),
                "ignored",
                "A hook runs as the container's own user, without more privileges.",
                "Remove user and privileged.",
            )
    # a kubelet does not expand variables in hooks, so nothing is escaped here
    if len(hooks) == 1 and not hooks[0].environment and not hooks[0].working_dir and not drain:
        return {"exec": {"command": list(hooks[0].command)}}
    line = " && ".join(map(_shell, hooks))
    return {"exec": {"command": [SHELL, "-c", f"sleep {drain}; {line}" if drain else line]}}


def _drain(context: ServiceContext) -> int:
    """Return how many seconds a Pod that was told to stop goes on serving."""
    if context.plan.settings.grace_seconds is not None:
        return context.plan.settings.grace_seconds
    check = context.service.healthcheck
    answers = bool(context.plan.ports or (check and check.test and not check.disable))
    if not answers or context.plan.ends:
        return 0
    return DRAIN_EMBEDDED if context.options.on_embedded else DRAIN


def _hooks(context: ServiceContext, drain: int) -> dict[str, Any]:
    """Return ``postStart`` and ``preStop``."""
    service = context.service
    lifecycle: dict[str, Any] = {}
    if service.post_start:
        lifecycle["postStart"] = _exec(context, "post_start", service.post_start)
        context.note(("post_start",), "approximated", "A container whose hook fails is started again.")
    if service.pre_stop and has_shell(service):
        lifecycle["preStop"] = _exec(context, "pre_stop", service.pre_stop, drain=drain)
    elif service.pre_stop:
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
    return lifecycle


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    service, drain = context.service, _drain(context)
    lifecycle = _hooks(context, drain)
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
