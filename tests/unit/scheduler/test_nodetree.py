"""In which order nodes are looked at, and which of equals is chosen."""

from __future__ import annotations

from leeward.cluster.scheduler.nodetree import NodeTree
from leeward.cluster.scheduler.profile import top_of
from leeward.kube.wellknown import ZONE


def _tree(*nodes: tuple[str, str]) -> NodeTree:
    tree = NodeTree()
    for name, zone in nodes:
        tree.put(name, {ZONE: zone})
    return tree


def test_zones_take_turns() -> None:
    tree = _tree(("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "c"), ("c2", "c"))
    assert list(tree) == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_a_node_that_moves_comes_last_in_its_new_zone() -> None:
    tree = _tree(("a1", "a"), ("b1", "b"), ("b2", "b"))
    assert not tree.put("a1", {ZONE: "a"})
    assert tree.put("a1", {ZONE: "b"})
    assert list(tree) == ["b1", "b2", "a1"]


def test_a_node_that_goes_is_forgotten() -> None:
    tree = _tree(("a1", "a"), ("b1", "b"))
    tree.remove("a1")
    tree.remove("a1")
    assert list(tree) == ["b1"]


def test_the_best_is_chosen_and_of_equals_the_first() -> None:
    assert top_of([1]) == 0
    assert top_of([3, 3, 3, 3]) == 0
    assert top_of([1, 2, 5, 2]) == 2
    assert top_of([1, 3, 3]) == 1
