"""What a cluster costs: a worked example to the cent, and what makes it dearer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.base.errors import UserInputError
from leeward.infra.cost import break_even_gb, changes, cost_of, shares
from leeward.infra.prices import own_prices, parse_prices
from leeward.infra.spec import ClusterSpec, Encryption, Estimate, Network, NodeGroup
from tests.unit.infra.specs import TODAY

# six m7i.large in three zones, one load balancer, one key
EXAMPLE = ClusterSpec(
    name="prod",
    region="us-east-1",
    kubernetes="1.35",
    node_groups={"general": NodeGroup(types=("m7i.large",), min=1, desired=2, max=4)},
    encryption=Encryption(secrets="customer", disks="aws", logs="aws"),
    estimate=Estimate(load_balancers=1),
)


def _first(spec: ClusterSpec, today: date = TODAY) -> float:
    return round(cost_of(spec, own_prices(), today).total.first, 2)


@pytest.mark.parametrize(
    ("network", "total"),
    [
        (Network(nat="per_zone", endpoints="standard"), 785.88),
        (Network(nat="per_zone", endpoints="s3"), 676.38),
        (Network(nat="single", endpoints="s3"), 603.38),
    ],
    ids=["NAT a zone and endpoints", "NAT a zone", "one NAT"],
)
def test_the_worked_example_is_right_to_the_cent(network: Network, total: float) -> None:
    assert _first(replace(EXAMPLE, network=network)) == total


def test_extended_support_costs_365_dollars_more() -> None:
    old = replace(EXAMPLE, kubernetes="1.33", upgrade_policy="extended")

    assert _first(old, date(2026, 7, 29)) == _first(EXAMPLE)
    assert _first(old, date(2026, 7, 30)) == round(_first(EXAMPLE) + 365, 2)
    assert _first(replace(old, upgrade_policy="standard"), date(2026, 7, 30)) == _first(EXAMPLE)


def test_three_columns_are_the_fewest_the_first_and_the_most_nodes() -> None:
    total = cost_of(EXAMPLE, own_prices(), TODAY).total
    node = 0.1008 * 730 + 50 * 0.08

    assert (total.first - total.least, total.most - total.first) == pytest.approx((3 * node, 6 * node))


@pytest.mark.parametrize(
    ("estimate", "more"),
    [
        (Estimate(nat_gb=100), 4.5),
        (Estimate(cross_zone_gb=100), 2.0),
        (Estimate(egress_gb=100), 0.0),
        (Estimate(egress_gb=300), 18.0),
        (Estimate(endpoint_gb=100), 1.0),
        (Estimate(log_gb=10), 10 * (0.5 + 0.03 * 365 / 30)),
        (Estimate(lcu=2), 2 * 0.008 * 730),
        (Estimate(volume_gb=100), 8.0),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_used_is_counted(estimate: Estimate, more: float) -> None:
    nothing = replace(EXAMPLE, estimate=Estimate())

    assert _first(replace(nothing, estimate=estimate)) - _first(nothing) == pytest.approx(more, abs=0.011)


def test_spot_is_cheaper_by_what_the_spec_says() -> None:
    spot = {"batch": NodeGroup(types=("m7i.large",), min=1, max=1, spot=True)}
    found = cost_of(
        replace(EXAMPLE, node_groups=spot, estimate=Estimate(spot_discount=60)), own_prices(), TODAY
    )
    line = next(line for line in found.lines if line.name == "nodes batch")

    assert line.first == pytest.approx(3 * 0.1008 * 730 * 0.4)
    assert any("varies" in note for note in found.notes)


def test_what_has_no_price_is_told_and_not_guessed() -> None:
    unknown = replace(EXAMPLE, node_groups={"new": NodeGroup(types=("x99.large",))})
    found = cost_of(unknown, own_prices(), TODAY)

    assert not [line for line in found.lines if line.name == "nodes new"]
    assert any("x99.large" in note for note in found.notes)


def test_another_region_is_told() -> None:
    notes = cost_of(replace(EXAMPLE, region="eu-west-1"), own_prices(), TODAY).notes

    assert any("eu-west-1" in note for note in notes)


@given(
    least=st.integers(0, 5), first=st.integers(0, 5), most=st.integers(0, 5), extra=st.integers(0, 5),
    per_zone=st.booleans(),
)  # fmt: skip
def test_more_nodes_are_never_cheaper(least: int, first: int, most: int, extra: int, per_zone: bool) -> None:
    def total(added: int) -> tuple[float, float, float]:
        group = NodeGroup(
            types=("m7i.large",), min=least, desired=least + first, max=least + first + most + added,
            per_zone=per_zone,
        )  # fmt: skip
        found = cost_of(replace(EXAMPLE, node_groups={"general": group}), own_prices(), TODAY).total
        return found.least, found.first, found.most

    before, after = total(0), total(extra)

    assert before[0] <= before[1] <= before[2]
    assert before[:2] == after[:2]
    assert before[2] <= after[2]


def test_a_change_names_the_lines_that_differ() -> None:
    group = replace(EXAMPLE.node_groups["general"], max=8)
    grown = replace(EXAMPLE, node_groups={"general": group, "batch": group}, network=Network(nat="none"))
    found = changes(cost_of(EXAMPLE, own_prices(), TODAY), cost_of(grown, own_prices(), TODAY))

    assert {change.name for change in found if change.before and change.after} == {
        "nodes general",
        "disks general",
    }
    assert {change.name for change in found if change.before is None} == {"nodes batch", "disks batch"}
    assert {change.name for change in found if change.after is None} == {"NAT gateways"}


def test_environments_share_by_what_they_request() -> None:
    assert shares(90, {}, ["qa", "uat", "demo"]) == {"qa": 30, "uat": 30, "demo": 30}
    assert shares(100, {"qa": (1, 1), "uat": (3, 1)}, ["qa", "uat", "demo"]) == {
        "qa": 37.5,
        "uat": 62.5,
        "demo": 0,
    }


def test_an_endpoint_pays_from_209_gb_a_zone() -> None:
    assert round(break_even_gb(own_prices(), 1)) == 209


def test_a_file_of_prices_changes_what_it_names(tmp_path: Path) -> None:
    text = (
        '{"date": "2026-11-01", "region": "eu-west-1", '
        '"prices": {"nat_hour": 0.048}, "instances": {"m7i.large": 0.1124}}'
    )
    prices = parse_prices(text, "prices.json")

    assert (prices.rates.nat_hour, prices.rates.nat_gb) == (0.048, 0.045)
    assert (prices.hourly("m7i.large"), prices.hourly("m6i.large")) == (0.1124, 0.096)
    assert any("2026-11-01" in note for note in cost_of(EXAMPLE, prices, TODAY).notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "mapping"),
        ("{}", "date"),
        ('{"date": "yesterday"}', "date"),
        ('{"date": "2026-11-01", "price": {}}', "Did you mean"),
        ('{"date": "2026-11-01", "prices": {"nat_hours": 1}}', "nat_hour"),
        ('{"date": "2026-11-01", "prices": {"nat_hour": -1}}', "number of USD"),
        ('{"date": "2026-11-01", "prices": {"nat_hour": true}}', "number of USD"),
        ('{"date": "2026-11-01", "instances": 3}', "mappings"),
    ],
)
def test_a_wrong_file_of_prices_is_told(text: str, words: str) -> None:
    with pytest.raises(UserInputError) as told:
        parse_prices(text, "prices.json")

    assert str(told.value).startswith("prices.json: ")
    assert words in f"{told.value} {told.value.remedy}"


def test_that_nothing_is_said_to_be_used_is_told() -> None:
    used = replace(EXAMPLE, estimate=Estimate(log_gb=1))

    assert any("come on top" in note for note in cost_of(EXAMPLE, own_prices(), TODAY).notes)
    assert not any("come on top" in note for note in cost_of(used, own_prices(), TODAY).notes)
