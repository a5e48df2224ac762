"""The vocabulary of releases: names, digests and packed content; what a cluster is told of them."""

from __future__ import annotations

import pytest

from leeward.base.errors import OperationError
from leeward.delivery import records
from leeward.delivery.definitions import definitions, policies


def test_what_is_packed_is_unpacked_the_same() -> None:
    value = {"b": ["ü", 1], "a": {"x": None}}
    assert records.unpack(records.pack(value, "it"), "it") == value
    assert records.canonical(value) == '{"a":{"x":null},"b":["ü",1]}'.encode()


_PACKED = records.pack(list(range(500)), "it")


@pytest.mark.parametrize("text", ["", "no base64!", "aGVsbG8=", f"{_PACKED[:60]}AAAA{_PACKED[64:]}"])
def test_what_is_damaged_is_told(text: str) -> None:
    with pytest.raises(OperationError, match=r"^release r is damaged: "):
        records.unpack(text, "release r")


def test_what_is_too_large_for_an_object_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_PACKED", 20)
    with pytest.raises(OperationError, match="release r is too large"):
        records.pack(list(range(100)), "release r")


def test_names_follow_from_content_and_numbers() -> None:
    digest = records.digest_of({"a": 1})
    assert digest == records.digest_of({"a": 1}) != records.digest_of({"a": 2})
    assert records.release_name("My_Shop", digest) == f"my-shop-{digest[7:19]}"
    assert records.promotion_name("qa", 7) == "qa-00007"
    assert records.hub_of("My_Shop") == "leeward-my-shop"


def test_every_kind_has_a_definition_and_all_but_environments_never_change() -> None:
    fixed = {
        found["spec"]["names"]["kind"]: "x-kubernetes-validations"
        in found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for found in definitions()
    }
    assert fixed.pop("Environment") is False
    assert fixed == dict.fromkeys(("Release", "Promotion", "Approval", "AuditRecord"), True)
    assert {found["kind"] for found in policies()} == {
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }


def test_no_expression_of_a_policy_asks_more_than_the_api_server_lets_it() -> None:
    specs = [found["spec"] for found in policies() if found["kind"] == "ValidatingAdmissionPolicy"]
    expressions = [
        each["expression"]
        for spec in specs
        for part in ("variables", "validations")
        for each in spec.get(part, ())
    ]
    assert 0 < max(expression.count(".check(") for expression in expressions) <= 2
