"""What is asked about Nodes, the same by all. Pure."""

from __future__ import annotations

from leeward.kube.objects import Obj, annotations_of
from leeward.kube.wellknown import NODE_POWER


def is_without_power(node: Obj) -> bool:
    """Tell whether somebody has pulled the plug of an embedded cluster's node."""
    return annotations_of(node).get(NODE_POWER) == "off"
