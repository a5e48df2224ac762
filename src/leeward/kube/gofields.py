"""How Go writes the structs of the Kubernetes API as JSON: what is left out when it is empty, what is not.

Letters are those of ``scripts/generate_go_fields.py``, in upper case where a field is written even if empty.

Source: the types of k8s.io/api and k8s.io/apimachinery, reduced to ``gofields.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson

_ZEROS: Mapping[str, Any] = {
    "s": "",
    "n": 0,
    "b": False,
    "l": None,
    "m": None,
    "p": None,
    "t": None,
    "q": "0",
}


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = orjson.loads(
        files("leeward.kube").joinpath("gofields.json").read_bytes()
    )
    return table


def go_fields(name: str) -> Mapping[str, str]:
    """Return JSON name → letter of a struct, such as "io.k8s.api.core.v1.Pod"; {} when it is not known."""
    return _table().get(name, {})


def zero_of(letter: str) -> Any:
    """Return what Go writes of an empty field that is no struct."""
    return _ZEROS[letter.lower()]


def is_left_out(letter: str, value: Any) -> bool:
    """Tell whether Go leaves a field out that has this value."""
    if letter == "l" or letter == "m":
        return not value
    return letter in _ZEROS and type(value) is type(_ZEROS[letter]) and value == _ZEROS[letter]
