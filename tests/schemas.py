"""Schemas of Kubernetes are read once, not once an object; for the conftest.py of whoever validates."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import kubernetes_validate.utils
import pytest


@pytest.fixture(autouse=True, scope="session")
def schemas_in_memory() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            kubernetes_validate.utils, "schema_contents", cache(kubernetes_validate.utils.schema_contents)
        )
        yield
