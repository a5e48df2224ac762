"""Which preset of CPU and memory a service asks for."""

from __future__ import annotations

from dataclasses import dataclass

from leeward.kube.quantity import parse_quantity
from leeward.render.model import ServiceContext
from leeward.settings.service import SIZES


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a preset stands for."""

    cpu: float  # cores
    memory: int  # bytes


def preset_of(context: ServiceContext) -> Amounts | None:
    """Return the preset that ``x-leeward.size`` names; None when it names none that is known."""
    name = context.plan.settings.size
    size = {**SIZES, **context.project.plan.settings.sizes}.get(name) if name else None
    return Amounts(float(parse_quantity(size.cpu)), int(parse_quantity(size.memory))) if size else None
