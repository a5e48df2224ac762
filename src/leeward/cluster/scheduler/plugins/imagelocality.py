"""ImageLocality: prefers nodes that have the Pod's images, the larger and the more widely spread the better.

Source: ``pkg/scheduler/framework/plugins/imagelocality/image_locality.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Hashable

from leeward.cluster.scheduler.framework import MAX_SCORE, Cycle, Descriptor, Likes, Plugin
from leeward.cluster.scheduler.nodeinfo import NodeInfo

_MIN_BYTES = 23 * 1024 * 1024  # images smaller than this do not matter,
_MAX_BYTES = 1000 * 1024 * 1024  # and a container's counts for no more than this


class ImageLocality(Plugin):
    """Scores by images."""

    name = "ImageLocality"
    weight = 1
    looks_around = True

    def digest(self, cycle: Cycle, node: NodeInfo) -> Hashable:
        return tuple([node.images.get(image) for image in cycle.pod.template.images]) if node.images else None

    def pre_score(self, cycle: Cycle, feasible: Likes) -> bool:
        return any(image in cycle.images for image in cycle.pod.template.images)

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        images, total = cycle.pod.template.images, 0
        for image in images:
            if image in node.images:
                total += int(node.images[image] * (cycle.images[image] / len(cycle.nodes)))
        most = _MAX_BYTES * len(images)
        return MAX_SCORE * (min(max(total, _MIN_BYTES), most) - _MIN_BYTES) // (most - _MIN_BYTES)


DESCRIPTOR = Descriptor(ImageLocality.name, ImageLocality)
