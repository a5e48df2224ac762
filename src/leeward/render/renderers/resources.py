"""Requests and limits; requests always, or scheduler and autoscaler are blind.

Source: the Compose Specification, "deploy.resources", "cpus", "mem_limit", "mem_reservation",
"cpu_quota", "storage_opt", "gpus". What the file does not say, ``x-leeward.size`` may.
"""

from __future__ import annotations

from typing import Any

from leeward.compose.project import DeviceRequest, Resources
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.quantity import cpu, memory
from leeward.render.sizes import Amounts, preset_of

DEFAULT_CPU = 0.1  # cores requested when the file says nothing
DEFAULT_MEMORY = 128 * 2**20  # bytes


def _gpus(context: ServiceContext, requests: tuple[DeviceRequest, ...], *path: str | int) -> int:
    """Return how many GPUs the requests at `path` are for."""
    total = 0
    for index, request in enumerate(requests):
        if request.count is not None and request.count < 0:
            context.warn(
                (*path, index, "count"),
                "not-expressible",
                '"All" GPUs of a node cannot be asked for; one is.',
                "Write a number.",
            )
        total += len(request.device_ids) or max(request.count or 1, 1)
    return total


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    service = context.service
    deploy = service.deploy
    limits = (deploy.limits if deploy else None) or Resources()
    reserved = (deploy.reservations if deploy else None) or Resources()
    cpu_limit = limits.cpus or service.cpus
    if not cpu_limit and service.cpu_quota and service.cpu_quota > 0:
        cpu_limit = service.cpu_quota / (service.cpu_period or 100_000)
    preset = preset_of(context)
    memory_limit = limits.memory or service.mem_limit or (preset.memory if preset else None)
    usual = preset or Amounts(DEFAULT_CPU, DEFAULT_MEMORY)
    cpu_request = reserved.cpus or min(usual.cpu, cpu_limit or usual.cpu)
    memory_request = (
        reserved.memory or service.mem_reservation or min(usual.memory, memory_limit or usual.memory)
    )
    resources: dict[str, Any] = {"requests": {"cpu": cpu(cpu_request), "memory": memory(memory_request)}}
    bounds: dict[str, Any] = {}
    if cpu_limit:
        bounds["cpu"] = cpu(max(cpu_limit, cpu_request))
    if memory_limit:
        bounds["memory"] = memory(max(memory_limit, memory_request))
    if size := service.storage_opt.get("size"):
        bounds["ephemeral-storage"] = size.upper().removesuffix("B")
    gpus = _gpus(context, service.gpus, "gpus")
    gpus += _gpus(context, reserved.devices, "deploy", "resources", "reservations", "devices")
    if gpus:
        bounds["nvidia.com/gpu"] = str(gpus)
    if bounds:
        resources["limits"] = bounds
    draft.container["resources"] = resources


DESCRIPTOR = Renderer(name="resources", pod=_pod)
