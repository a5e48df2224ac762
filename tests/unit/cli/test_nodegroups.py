"""The nodes that `leeward cluster start` is asked for."""

from __future__ import annotations

import pytest

from leeward.base.errors import UserInputError
from leeward.cli.clusters import StartOptions
from leeward.cli.nodegroups import choose_groups
from leeward.cluster.config import NodeGroup
from leeward.cluster.statedir import groups_from_record


def test_a_new_cluster_has_two_nodes_in_each_zone() -> None:
    assert choose_groups(StartOptions(), (), 3) == (NodeGroup(nodes=6),)
    assert choose_groups(StartOptions(nodes_per_zone=5), (), 2) == (NodeGroup(nodes=10),)


def test_number_and_size_of_nodes_are_said_in_a_few_words() -> None:
    (group,) = choose_groups(StartOptions(nodes=1000, node_size="32cpu,256Gi"), (), 3)
    assert group == NodeGroup(nodes=1000, cpu_millis=32_000, memory_bytes=256 * 2**30)
    (group,) = choose_groups(StartOptions(node_size="500mcpu,512Mi,20pods"), (), 3)
    assert group == NodeGroup(nodes=6, cpu_millis=500, memory_bytes=512 * 2**20, pods=20)


def test_groups_have_names_numbers_and_sizes() -> None:
    options = StartOptions(node_groups=("general:30:8cpu,32Gi", "batch:6"))
    assert choose_groups(options, (), 3) == [
        NodeGroup(name="general", nodes=30, cpu_millis=8000, memory_bytes=32 * 2**30),
        NodeGroup(name="batch", nodes=6),
    ]


def test_what_a_cluster_had_stays_unless_it_is_asked_for_otherwise() -> None:
    had = (NodeGroup(nodes=9, cpu_millis=2000),)
    assert choose_groups(StartOptions(), had, 3) == had
    assert choose_groups(StartOptions(nodes=12), had, 3) == (NodeGroup(nodes=12, cpu_millis=2000),)
    several = (NodeGroup(name="a"), NodeGroup(name="b"))
    assert choose_groups(StartOptions(), several, 3) == several


def test_the_nodes_of_several_groups_are_not_replaced_by_one() -> None:
    several = (NodeGroup(name="a"), NodeGroup(name="b"))
    with pytest.raises(UserInputError, match="several groups of nodes: a, b"):
        choose_groups(StartOptions(node_size="8cpu,16Gi"), several, 3)


def test_a_record_from_before_there_were_groups_is_understood() -> None:
    assert groups_from_record({"nodesPerZone": 3, "zones": ["a", "b"]}) == (NodeGroup(nodes=6),)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (StartOptions(nodes=0), "--nodes 0 is not between 1 and 20000"),
        (StartOptions(nodes_per_zone=9999), "--nodes-per-zone 9999 is not between 1 and 6666"),
        (StartOptions(nodes=5, nodes_per_zone=2), "contradict each other"),
        (StartOptions(node_size="32"), "'32' is no size of a node"),
        (StartOptions(node_groups=("x",)), "'x' is no node group"),
        (StartOptions(node_groups=("a:3", "a:2")), "two --node-group are called 'a'"),
        (StartOptions(node_groups=("a:3",), nodes=4), "--node-group says how many nodes there are"),
        (StartOptions(node_groups=("a:²",)), "'a:²' is no node group"),
        (StartOptions(node_groups=("a:1:0cpu,0Gi",)), "is no size of a node"),
        (StartOptions(node_groups=("a:3:big",)), "'big' is no size of a node"),
    ],
)
def test_nodes_that_make_no_sense_are_refused(options: StartOptions, words: str) -> None:
    with pytest.raises(UserInputError, match=words):
        choose_groups(options, (), 3)
