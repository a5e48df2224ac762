"""One object as YAML that people review: block style, literal blocks for long text.

Invariants: the same objects give the same bytes; what is written reads back as the same values by
YAML 1.1 and 1.2 readers alike (``1e3``, ``0o17``, ``on`` stay text); no anchors.

Source: kubectl reads YAML through ``sigs.k8s.io/yaml`` (go-yaml), which resolves more plain scalars
as numbers than PyYAML does, hence the quoting here.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from leeward.kube.objects import Obj

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_NUMBER_ELSEWHERE = re.compile(
    r"[-+]?(?:0[xXoObB][0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?)"
)
_WORD_ELSEWHERE = frozenset({"y", "Y", "n", "N"})


class _Dumper(_Base):  # type: ignore[misc]  # the base is chosen at run time: libyaml when it is there
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    style = None
    if (
        "\n" in value
        and not re.search(r"[ \t]\n|[^\n\t\x20-\x7e\xa0-\ufffd]", value)
        and value[:1] not in " \t\n"
    ):
        style = "|"
    elif value in _WORD_ELSEWHERE or _NUMBER_ELSEWHERE.fullmatch(value):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(obj: Obj) -> str:
    """Return one object as a YAML document without separator."""
    text: str = yaml.dump(
        obj,
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=False,
        allow_unicode=True,
        width=4096,
    )
    return text
