"""Startup, readiness and liveness probes of one container.

Each probe is a task of its own on the Pod worker's behalf. A readiness or startup probe that has not
passed yet is tried every FAST_SECONDS or period, whichever is shorter, so that a quick start is seen at
once; failures before the first success are not counted faster than the period says. Commands are expanded
like those of containers, by variables whose values stand in the Pod.

Source: pkg/kubelet/prober/{worker,prober}.go (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from leeward.base.clock import Clock, within
from leeward.cluster.interface.runtime import RuntimeFailureError, RuntimeService
from leeward.cluster.kubelet.environment import expand
from leeward.cluster.kubelet.handlers import http_get, tcp_connect
from leeward.kube.objects import Obj

FAST_SECONDS = 0.5
Result = Callable[[str, bool, str], None]  # (kind of probe, passed, what it said)


class Prober:
    """Runs the probes of one running container until stopped.

    Args:
        clock: paces them.
        runtime: runs exec probes.
        container_id: the container.
        container: its spec.
        pod_ip: where it listens.
        on_result: told when a threshold is reached: the probe passes or fails now.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        runtime: RuntimeService,
        container_id: str,
        container: Obj,
        pod_ip: str,
        on_result: Result,
        on_failure: Callable[[str, str], None],
    ) -> None:
        self._clock = clock
        self._runtime = runtime
        self._id = container_id
        self._container = container
        self._ip = pod_ip
        self._on_result = on_result
        self._on_failure = on_failure
        self._started = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start probing."""
        if "startupProbe" not in self._container:
            self._started.set()
        for kind in ("startup", "readiness", "liveness"):
            probe = self._container.get(f"{kind}Probe")
            if probe:
                self._tasks.append(asyncio.ensure_future(self._run(kind, probe)))

    def stop(self) -> None:
        """Stop probing."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    async def _run(self, kind: str, probe: Obj) -> None:
        begin = self._clock.monotonic() + probe.get("initialDelaySeconds", 0)  # from the container's start
        if kind != "startup":
            await self._started.wait()
        await self._clock.sleep(begin - self._clock.monotonic())
        period = float(probe.get("periodSeconds", 10))
        state: bool | None = None
        successes = failures = 0
        failed_at = float("-inf")
        while True:
            passed, text = await self._try(probe)
            if passed:
                successes, failures = successes + 1, 0
                if state is not True and successes >= probe.get("successThreshold", 1):
                    state = True
                    if kind == "startup":
                        self._started.set()
                    self._on_result(kind, True, text)
                    if kind == "startup":
                        return
            else:
                successes = 0
                if self._clock.monotonic() - failed_at >= period * 0.99:
                    failed_at = self._clock.monotonic()
                    failures += 1
                    self._on_failure(kind, text)
                if state is not False and failures >= probe.get("failureThreshold", 3):
                    state, failures = False, 0
                    self._on_result(kind, False, text)
            eager = state is None and kind != "liveness"
            await self._clock.sleep(min(FAST_SECONDS, period) if eager else period)

    async def _try(self, probe: Obj) -> tuple[bool, str]:
        """Probe once; returns whether it passed and what was said."""
        seconds = float(probe.get("timeoutSeconds", 1))
        try:
            if "exec" in probe:
                return await self._exec(probe["exec"].get("command") or [], seconds)
            if (check := self._check(probe)) is not None:
                return await within(self._clock, seconds, check)
        except TimeoutError:
            return False, "command timed out" if "exec" in probe else "context deadline exceeded"
        except (OSError, ValueError, RuntimeFailureError) as error:
            return False, str(error)
        return False, "the probe has no handler that is known here"

    def _check(self, probe: Obj) -> Coroutine[Any, Any, tuple[bool, str]] | None:
        """Return what a probe does over the network, if it does."""
        if "httpGet" in probe:
            return http_get(self._ip, self._container, probe["httpGet"])
        if "tcpSocket" in probe:
            return tcp_connect(self._ip, self._container, probe["tcpSocket"])
        if "grpc" in probe:
            from leeward.cluster.kubelet.grpchealth import grpc_check

            return grpc_check(self._ip, probe["grpc"])
        return None

    async def _exec(self, command: list[str], seconds: float) -> tuple[bool, str]:
        values = {each["name"]: each["value"] for each in self._container.get("env") or () if "value" in each}
        result = await self._runtime.exec(self._id, [expand(word, values) for word in command], seconds)
        text = (result.stdout + result.stderr).decode(errors="replace").strip()
        return result.exit_code == 0, text[:512]
