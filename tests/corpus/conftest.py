from __future__ import annotations

from tests.schemas import schemas_in_memory

__all__ = ["schemas_in_memory"]
