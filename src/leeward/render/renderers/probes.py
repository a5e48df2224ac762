"""Probes from the health check: readiness and start-up; liveness only when asked for.

Docker does not restart an unhealthy container, so neither does this. The start-up probe polls fast
until the first success, with at least the patience the health check shows; then the readiness probe
goes on at Docker's pace. Without a health check, a service with a published TCP port is ready when
that port accepts connections.

Source: the Compose Specification, "healthcheck"; Docker's defaults (30 s, 30 s, 3 retries);
``pkg/kubelet/prober`` (exec probes are expanded like commands).
"""

from __future__ import annotations

import math
from typing import Any

from leeward.compose.project import Healthcheck
from leeward.render.dockerfile import healthcheck_of, with_timings
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.plan import Kind
from leeward.render.quantity import whole_seconds
from leeward.render.renderers.command import escape

INTERVAL = 30.0
TIMEOUT = 30.0
RETRIES = 3
STARTUP_PERIOD = 1.0  # seconds between attempts before the first success, unless start_interval says
STARTUP_PATIENCE = 300.0  # least seconds before a start-up counts as failed; Docker has no limit


def _handler(context: ServiceContext, check: Healthcheck) -> dict[str, Any] | None:
    kind, *words = check.test
    if kind == "CMD-SHELL":
        words = ["/bin/sh", "-c", *words]
    elif kind != "CMD":
        context.warn(
            ("healthcheck", "test"),
            "unknown-test",
            f"The test form {kind!r} is not known and is left out.",
            "Use CMD or CMD-SHELL.",
        )
        return None
    return {"exec": {"command": [escape(word) for word in words]}} if words else None


def _from_healthcheck(context: ServiceContext, draft: PodDraft, check: Healthcheck) -> None:
    handler = _handler(context, check)
    if handler is None:
        return
    interval = check.interval or INTERVAL
    timeout = whole_seconds(check.timeout or TIMEOUT)
    retries = check.retries or RETRIES
    steady = {
        **handler,
        "periodSeconds": whole_seconds(interval),
        "timeoutSeconds": timeout,
        "failureThreshold": retries,
    }
    period = whole_seconds(check.start_interval or min(STARTUP_PERIOD, interval))
    patience = max((check.start_period or 0) + retries * interval, STARTUP_PATIENCE)
    draft.container["startupProbe"] = {
        **handler,
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": math.ceil(patience / period),
    }
    draft.container["readinessProbe"] = steady
    if context.plan.settings.liveness:
        draft.container["livenessProbe"] = steady


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    check = context.service.healthcheck
    if context.plan.kind is Kind.JOB:
        if check and check.test and not check.disable:
            context.note(
                ("healthcheck",), "ignored", "A service that runs to completion is not checked for health."
            )
        return
    if check and check.disable:
        return
    if not (check and check.test) and context.service.build:
        found = healthcheck_of(context.service.build, context.options.files)
        check = with_timings(found, check) if found else check
    if check and check.test:
        _from_healthcheck(context, draft, check)
        return
    if check:
        context.warn(
            ("healthcheck",),
            "unknown-test",
            "The timings are for a health check inside an image that is not at hand.",
            "Write the test in the Compose file.",
        )
    published = next((port for port in context.service.ports if port.protocol == "tcp"), None)
    if published and context.plan.settings.readiness and context.service.network_mode is None:
        draft.container["readinessProbe"] = {
            "tcpSocket": {"port": published.target},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
            "failureThreshold": 3,
        }
        context.note(
            ("ports",),
            "readiness-assumed",
            f"Without a health check, a Pod is ready when port {published.target} accepts connections.",
            "Add a healthcheck, or set x-leeward.readiness to false.",
        )


DESCRIPTOR = Renderer(name="probes", pod=_pod)
