"""The scheduler's plugins, in the order in which they filter (upstream's default profile)."""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.scheduler.framework import Descriptor
from leeward.cluster.scheduler.plugins import (
    balancedallocation,
    imagelocality,
    interpodaffinity,
    nodeaffinity,
    nodename,
    nodeports,
    noderesourcesfit,
    nodeunschedulable,
    nodevolumelimits,
    podtopologyspread,
    schedulinggates,
    tainttoleration,
    volumebinding,
    volumerestrictions,
    volumezone,
)

PLUGINS: Sequence[Descriptor] = (
    schedulinggates.DESCRIPTOR,
    nodeunschedulable.DESCRIPTOR,
    nodename.DESCRIPTOR,
    tainttoleration.DESCRIPTOR,
    nodeaffinity.DESCRIPTOR,
    nodeports.DESCRIPTOR,
    noderesourcesfit.DESCRIPTOR,
    volumerestrictions.DESCRIPTOR,
    nodevolumelimits.DESCRIPTOR,
    volumebinding.DESCRIPTOR,
    volumezone.DESCRIPTOR,
    podtopologyspread.DESCRIPTOR,
    interpodaffinity.DESCRIPTOR,
    balancedallocation.DESCRIPTOR,
    imagelocality.DESCRIPTOR,
)
