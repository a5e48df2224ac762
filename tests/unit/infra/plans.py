"""Plans for tests: recorded ones, and single changes in Terraform's JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_RECORDED = Path(__file__).parent / "recorded_plans"


def recorded(name: str) -> dict[str, Any]:
    """Return a plan that Terraform 1.11 made of one cluster in three zones, at a server that plays AWS.

    What does not change was cut out, and long values were cut.
    """
    found: dict[str, Any] = json.loads((_RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return found


def change(
    address: str,
    actions: list[str],
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return one change of a plan, as ``terraform show -json`` has it."""
    module, _, rest = address.rpartition(".aws_")
    kind, _, name = f"aws_{rest}".partition(".")
    name, _, key = name.partition("[")
    inner = {"before_sensitive", "after_sensitive", "after_unknown", "replace_paths"}
    return {
        "address": address,
        "mode": "managed",
        "type": kind,
        "name": name,
        "change": {
            "actions": actions,
            "before": before,
            "after": after,
            **{each: value for each, value in more.items() if each in inner},
        },
        **({"module_address": module} if module else {}),
        **({"index": key.strip('"]')} if key else {}),
        **{each: value for each, value in more.items() if each not in inner},
    }


def plan(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a plan of some changes."""
    return {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": list(changes), **more}


def group(key: str, least: int, desired: int, most: int, **more: Any) -> dict[str, Any]:
    """Return the values of an EKS node group."""
    return {
        "node_group_name": f"{key}-2026",
        "scaling_config": [{"min_size": least, "desired_size": desired, "max_size": most}],
        "instance_types": ["m7i.large"],
        **more,
    }


GROUP = 'module.node_groups.aws_eks_node_group.this["general-a"]'
CLUSTER = "module.cluster.aws_eks_cluster.this"
