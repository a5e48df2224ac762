from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("name", "code"),
    [("A", None), ("a.b-c", None), ("1", "recent-name"), ("a b", "recent-name"),
     ("naïve", "invalid-name"), ("", "invalid-name")],
)  # fmt: skip
def test_names_of_variables_that_kubernetes_refuses_are_told(
    name: str, code: str | None, render_text: Callable[..., Any]
) -> None:
    result = render_text(f"services: {{a: {{image: x, environment: {{{name!r}: b}}}}}}")
    found = [(each.path, each.code) for each in result.diagnostics if "variable called" in each.message]
    assert found == ([(f"services.a.environment.{name}", code)] if code else [])
