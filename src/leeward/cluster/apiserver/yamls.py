"""YAML as Go writes it: strings that would be read as something else are in double quotes.

Source: sigs.k8s.io/yaml.
"""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    tag = dumper.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    plain = tag == "tag:yaml.org,2002:str"
    style = "|" if "\n" in text else None if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def dumped(document: Any) -> str:
    """Return a JSON-like document as YAML, its keys in order."""
    text: str = yaml.dump(document, Dumper=_Dumper, default_flow_style=False, sort_keys=True, width=10**9)
    return text
