"""What a plan does to what runs: every kind of change in words, and which of them takes more than a yes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leeward.infra.blastradius import consequences
from leeward.infra.plans import summary_of
from tests.unit.infra.plans import CLUSTER, GROUP, change, group, plan
from tests.unit.infra.specs import GOOD, good_spec

_HOSTS = GOOD + "environments: [production, demo]\n"
_NETWORK = "module.network.aws"


def _told(directory: Path, *changes: dict[str, Any]) -> list[tuple[str, bool]]:
    found = consequences(summary_of(plan(*changes)), good_spec(directory, _HOSTS))
    return [(each.words, each.is_grave) for each in found]


def test_new_nodes_take_the_place_of_old_ones(tmp_path: Path) -> None:
    was = group("general-a", 2, 3, 4)
    anew = change(GROUP, ["create", "delete"], was, was, replace_paths=[["instance_types"]])

    assert _told(tmp_path, anew) == [
        (
            "2 to 4 nodes (3 now) of us-east-1a: drained after new ones are up because of instance_types.",
            True,
        )
    ]


def test_nodes_that_go_first_leave_a_gap(tmp_path: Path) -> None:
    was = group("general-a", 1, 1, 1)
    anew = change(GROUP, ["delete", "create"], was, was, action_reason="replace_because_tainted")

    assert _told(tmp_path, anew) == [
        (
            "1 node of us-east-1a: gone before new ones are there because making it did not end.",
            True,
        )
    ]


def test_a_group_that_left_the_spec_is_drained(tmp_path: Path) -> None:
    address = 'module.node_groups.aws_eks_node_group.this["batch-c"]'

    assert _told(tmp_path, change(address, ["delete"], group("batch-c", 0, 2, 9), None)) == [
        ("0 to 9 nodes (2 now) of us-east-1c: drained, and gone. What runs there needs room on others.", True)
    ]


def test_an_upgrade_rolls_nodes_in_place(tmp_path: Path) -> None:
    was = group("general-a", 1, 2, 4, version="1.34")
    will = group("general-a", 1, 2, 4, version="1.35")

    assert _told(
        tmp_path,
        change(GROUP, ["update"], was, will),
        change(CLUSTER, ["update"], {"version": "1.34"}, {"version": "1.35"}),
    ) == [
        (
            "1 to 4 nodes (2 now) of us-east-1a: replaced in place, a third at a time "
            "(version 1.34 -> 1.35).",
            False,
        ),
        (
            "The control plane goes from 1.34 to 1.35, which cannot be taken back. The API stays reachable; "
            "nodes follow.",
            False,
        ),
    ]


def test_sizes_disturb_nobody(tmp_path: Path) -> None:
    assert _told(tmp_path, change(GROUP, ["update"], group("a", 1, 2, 4), group("a", 1, 2, 9))) == []


def test_what_is_made_disturbs_nobody(tmp_path: Path) -> None:
    assert (
        _told(tmp_path, change(GROUP, ["create"], None, group("a", 1, 2, 4)), change(CLUSTER, ["create"]))
        == []
    )


@pytest.mark.parametrize(("actions", "anew"), [(["delete", "create"], True), (["delete"], False)])
def test_a_cluster_that_goes_takes_its_environments_along(
    actions: list[str], anew: bool, tmp_path: Path
) -> None:
    ((words, is_grave),) = _told(tmp_path, change(CLUSTER, actions, {"name": "prod-use1"}, {}))

    assert is_grave
    assert "Gone: the environments production and demo." in words
    assert ("made anew" in words) == anew


def test_what_goes_with_the_cluster_is_not_told_apart(tmp_path: Path) -> None:
    told = _told(
        tmp_path,
        change(CLUSTER, ["delete"], {"name": "prod-use1"}, None),
        change(GROUP, ["delete"], group("general-a", 1, 1, 2), None),
        change('module.keys.aws_kms_key.this["secrets"]', ["delete"], {}, None),
    )

    assert [words.split(" ")[1] for words, _ in told] == ["cluster", "key"]


def test_whom_a_public_api_lets_in_is_told(tmp_path: Path) -> None:
    private = {"vpc_config": [{"endpoint_public_access": False, "public_access_cidrs": []}]}
    public = {"vpc_config": [{"endpoint_public_access": True, "public_access_cidrs": ["203.0.113.0/24"]}]}
    to_all = {"vpc_config": [{"endpoint_public_access": True, "public_access_cidrs": ["0.0.0.0/0"]}]}

    assert _told(tmp_path, change(CLUSTER, ["update"], private, public)) == [
        ("The API is reachable over the internet, from 203.0.113.0/24.", False)
    ]
    assert _told(tmp_path, change(CLUSTER, ["update"], public, to_all)) == [
        ("The API is reachable over the internet, from 0.0.0.0/0.", False)
    ]
    assert _told(tmp_path, change(CLUSTER, ["update"], public, private)) == [
        ("The API is not reachable over the internet any more, for whoever comes that way.", False)
    ]


@pytest.mark.parametrize(
    ("address", "before", "words", "is_grave"),
    [
        (f'{_NETWORK}_subnet.private["us-east-1a"]', {}, "go with it: general-a (up to 4 nodes)", True),
        (f'{_NETWORK}_subnet.public["us-east-1a"]', {}, "with load balancers and NAT in it", True),
        (f'{_NETWORK}_subnet.control_plane["us-east-1a"]', {}, "EKS never leaves", True),
        (f"{_NETWORK}_vpc.this", {}, "The network of prod-use1 is removed", True),
        (f'{_NETWORK}_nat_gateway.this["us-east-1b"]', {}, "NAT gateway of us-east-1b goes", False),
        (f'{_NETWORK}_eip.nat["us-east-1b"]', {"public_ip": "198.51.100.7"}, "198.51.100.7", False),
        (f'{_NETWORK}_route.nat["us-east-1b"]', {}, "no way out to the internet any more", False),
        (f'{_NETWORK}_vpc_endpoint.interface["sts"]', {}, "sts is not reached within the VPC", False),
        ('module.keys.aws_kms_key.this["secrets"]', {"deletion_window_in_days": 7}, "is deleted in 7", True),
        ("module.cluster.aws_cloudwatch_log_group.this", {"name": "/aws/eks/x"}, "All logs in /aws", True),
        (
            "module.access.aws_eks_access_entry.this",
            {"principal_arn": "arn:aws:iam::1:role/Dev", "kubernetes_groups": ["developers"]},
            "arn:aws:iam::1:role/Dev loses its access as developers.",
            False,
        ),
        (
            "module.access.aws_eks_access_policy_association.this",
            {"principal_arn": "r", "policy_arn": "arn:aws:eks::aws:cluster-access-policy/ViewPolicy"},
            "r loses ViewPolicy",
            False,
        ),
        ('module.addons.aws_eks_addon.after_nodes["coredns"]', {}, "coredns is removed", False),
        (
            'module.addons.aws_eks_pod_identity_association.this["x"]',
            {"namespace": "kube-system", "service_account": "ebs"},
            "Pods of kube-system/ebs",
            False,
        ),
        ("aws_db_instance.shop", {}, "Yours, not leeward's: it is destroyed", True),
    ],
    ids=lambda value: value if isinstance(value, str) and "aws_" in value else None,
)  # fmt: skip
def test_what_is_removed_is_told(
    address: str, before: dict[str, Any], words: str, is_grave: bool, tmp_path: Path
) -> None:
    ((told, grave),) = _told(tmp_path, change(address, ["delete"], before, None))

    assert words in told
    assert grave == is_grave


def test_a_gateway_made_anew_is_minutes_without_a_way_out(tmp_path: Path) -> None:
    anew = change(f'{_NETWORK}_nat_gateway.this["us-east-1b"]', ["delete", "create"], {}, {},
                  replace_paths=[["subnet_id"]])  # fmt: skip

    assert _told(tmp_path, anew) == [
        ("us-east-1b has no way out to the internet for some minutes because of subnet_id.", False)
    ]


def test_a_way_out_that_moves_breaks_connections(tmp_path: Path) -> None:
    moved = change(
        f'{_NETWORK}_route.nat["us-east-1b"]', ["update"], {"nat_gateway_id": "1"}, {"nat_gateway_id": "2"}
    )

    assert _told(tmp_path, moved) == [
        ("us-east-1b goes out through another NAT gateway; open connections break.", False)
    ]


def test_a_new_version_of_an_addon_is_told(tmp_path: Path) -> None:
    address = 'module.addons.aws_eks_addon.after_nodes["coredns"]'
    newer = change(address, ["update"], {"addon_name": "coredns", "addon_version": "v1"},
                   {"addon_name": "coredns", "addon_version": "v2"})  # fmt: skip

    assert _told(tmp_path, newer) == [("The add-on coredns goes from v1 to v2, Pod by Pod.", False)]


def test_what_was_being_made_is_kept_where_two_cannot_be(tmp_path: Path) -> None:
    subnet = f'{_NETWORK}_subnet.private["us-east-1a"]'
    was = group("general-a", 1, 1, 2)
    tainted = {"action_reason": "replace_because_tainted"}
    found = plan(
        change(subnet, ["create", "delete"], {}, {}, **tainted),
        change(CLUSTER, ["create", "delete"], {}, {}, **tainted),
        change(GROUP, ["create", "delete"], was, was, **tainted),  # its name has a prefix
        change(f"{_NETWORK}_vpc.this", ["delete", "create"], {}, {}, **tainted),
    )

    assert [each.address for each in summary_of(found).unfinished] == [subnet, CLUSTER]
    told = _told(tmp_path, *found["resource_changes"])
    assert [grave for words, grave in told if words.startswith("Making it was interrupted")] == [False, False]
    assert [grave for words, grave in told if "because making it did not end" in words] == [True, True]


def test_own_resources_that_are_changed_are_ones_own_matter(tmp_path: Path) -> None:
    assert _told(tmp_path, change("aws_db_instance.shop", ["update"], {"size": 1}, {"size": 2})) == []


def test_what_is_grave_comes_first(tmp_path: Path) -> None:
    told = _told(
        tmp_path,
        change(f'{_NETWORK}_nat_gateway.this["us-east-1b"]', ["delete"], {}, None),
        change(GROUP, ["delete"], group("general-a", 1, 1, 2), None),
    )

    assert [grave for _, grave in told] == [True, False]
