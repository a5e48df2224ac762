"""How the containers of a Pod end: preStop hooks, the stop signal, and the kill after the grace period.

Source: pkg/kubelet/kuberuntime/kuberuntime_container.go, killContainer; pkg/kubelet/lifecycle/handlers.go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from leeward.base.clock import Clock, within
from leeward.cluster.interface.runtime import RuntimeFailureError, RuntimeService
from leeward.cluster.kubelet.handlers import http_get
from leeward.cluster.kubelet.records import Record
from leeward.kube.objects import Obj

logger = logging.getLogger(__name__)
_HOOK_SECONDS = 3600.0  # the grace period ends a hook, not this
_LEAST_SECONDS = 2.0  # left for the stop signal when a hook used the grace period up


async def shut_down(
    runtime: RuntimeService,
    clock: Clock,
    pod: Obj,
    running: Iterable[Record],
    spec_of: Callable[[str], Obj],
    pod_ip: str,
    *,
    grace: float,
    hooks: bool,
) -> None:
    """End `running` containers: the ordinary ones together, then sidecars in reverse order.

    Args:
        runtime: ends them.
        clock: measures the grace period.
        pod: whose they are.
        running: which.
        spec_of: a container's spec by name.
        pod_ip: where HTTP hooks go.
        grace: seconds for hooks and stop signal together; 0 kills at once.
        hooks: whether preStop hooks run; not when they have begun to before.
    """
    deadline = clock.monotonic() + grace
    sidecars = [
        c["name"] for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"
    ]
    records = {record.name: record for record in running}
    mains = [record for name, record in records.items() if name not in sidecars]

    async def end(record: Record) -> None:
        hook = (spec_of(record.name).get("lifecycle") or {}).get("preStop")
        if hook and hooks and grace > 0:
            try:
                left = max(0.0, deadline - clock.monotonic())
                spec = spec_of(record.name)
                await within(clock, left, run_hook(runtime, record.container_id, spec, hook, pod_ip, clock))
            except TimeoutError:
                logger.info("%s: preStop hook did not end within the grace period", record.name)
        left = deadline - clock.monotonic()
        least = 0.0 if grace == 0 else _LEAST_SECONDS
        await runtime.stop_container(record.container_id, max(left, least))

    await asyncio.gather(*(end(record) for record in mains))
    for name in reversed(sidecars):
        if name in records:
            await end(records[name])


async def run_hook(
    runtime: RuntimeService, container_id: str, spec: Obj, hook: Obj, pod_ip: str, clock: Clock
) -> str:
    """Run a lifecycle hook; returns what went wrong, or ""."""
    try:
        if "exec" in hook:
            result = await runtime.exec(container_id, hook["exec"].get("command") or [], _HOOK_SECONDS)
            if result.exit_code:
                return (
                    f"hook ended with exit code {result.exit_code}: {result.stderr.decode(errors='replace')}"
                )
        elif "sleep" in hook:
            await clock.sleep(float(hook["sleep"].get("seconds", 0)))
        elif "httpGet" in hook:
            passed, text = await http_get(pod_ip, spec, hook["httpGet"])
            return "" if passed else text
    except (OSError, ValueError, RuntimeFailureError) as error:
        return str(error)
    return ""
