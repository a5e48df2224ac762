"""Policies: expressions refuse writes, warn about them, and are asked with parameters."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import InvalidError, StatusError

GROUP = "admissionregistration.k8s.io"
POLICIES, BINDINGS = f"validatingadmissionpolicies.{GROUP}", f"validatingadmissionpolicybindings.{GROUP}"
RULE = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["configmaps"],
    "operations": ["CREATE", "UPDATE", "DELETE"],
}
PREFIX = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "


class World:
    """A registry with a namespace "shop"."""

    def __init__(self) -> None:
        options = AdmissionOptions(disabled=("ServiceAccount",))
        self.registry = Registry(MemoryStore(), clock=VirtualClock(), ids=SeededIds(1), options=options)
        self.client = self.registry.client("admin").tracked("test", "v1")
        self.client.create("namespaces", {"metadata": {"name": "shop", "labels": {"team": "a"}}})

    def policy(self, *validations: Obj, binding: Obj | None = None, **spec: Any) -> None:
        """Make a policy and bind it."""
        constraints = {"resourceRules": [RULE], **spec.pop("constraints", {})}
        spec = {"matchConstraints": constraints, "validations": list(validations), **spec}
        kind = {"apiVersion": f"{GROUP}/v1", "kind": "ValidatingAdmissionPolicy"}
        self.client.create(POLICIES, {**kind, "metadata": {"name": "p"}, "spec": spec})
        bound = {"policyName": "p", "validationActions": ["Deny"], **(binding or {})}
        kind = {"apiVersion": f"{GROUP}/v1", "kind": "ValidatingAdmissionPolicyBinding"}
        self.client.create(BINDINGS, {**kind, "metadata": {"name": "b"}, "spec": bound})

    def configmap(self, name: str = "settings", **data: str) -> Obj:
        meta = {"name": name, "namespace": "shop"}
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        return self.client.create("configmaps", made)


@pytest.fixture
def world() -> World:
    return World()


def test_a_write_that_breaks_a_validation_is_refused_with_its_message(world: World) -> None:
    world.policy({"expression": "object.data.size != 'big'", "message": "too big"})

    with pytest.raises(StatusError) as refused:
        world.configmap(size="big")

    assert refused.value.message == f'configmaps "settings" is forbidden: {PREFIX}too big'
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")
    world.configmap(size="small")


def test_the_reason_of_a_validation_decides_the_code_and_an_expression_makes_the_message(
    world: World,
) -> None:
    world.policy({"expression": "false", "messageExpression": "'no ' + request.name", "reason": "Forbidden"})

    with pytest.raises(StatusError, match="denied request: no settings") as refused:
        world.configmap()

    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")


def test_an_expression_without_a_value_refuses_unless_failures_are_ignored(world: World) -> None:
    world.policy({"expression": "object.data.none == 'x'"})

    with pytest.raises(StatusError, match="resulted in error: no such key: none"):
        world.configmap(a="b")


def test_a_policy_that_ignores_failures_lets_such_a_write_through(world: World) -> None:
    world.policy({"expression": "object.data.none == 'x'"}, failurePolicy="Ignore")

    assert world.configmap(a="b")["data"] == {"a": "b"}


def test_variables_are_made_in_order_and_seen_by_validations(world: World) -> None:
    variables = [
        {"name": "size", "expression": "size(object.data)"},
        {"name": "twice", "expression": "variables.size * 2"},
    ]
    world.policy({"expression": "variables.twice < 4", "message": "at most one"}, variables=variables)

    world.configmap("one", a="1")
    with pytest.raises(StatusError, match="at most one"):
        world.configmap("two", a="1", b="2")


def test_match_conditions_and_selectors_of_namespaces_leave_writes_out(world: World) -> None:
    world.policy(
        {"expression": "false"},
        matchConditions=[{"name": "guarded", "expression": "request.name.startsWith('guard')"}],
        constraints={"namespaceSelector": {"matchLabels": {"team": "a"}}},
    )

    world.configmap("free")
    with pytest.raises(StatusError, match="failed expression: false"):
        world.configmap("guarded")


def test_an_update_and_a_deletion_see_what_was_there(world: World) -> None:
    same = "request.operation != 'UPDATE' || object.data.a == oldObject.data.a"
    world.policy(
        {"expression": same, "message": "a stays"},
        {"expression": "request.operation != 'DELETE' || object == null && oldObject.data.a == '2'"},
    )
    made = world.configmap(a="1")

    with pytest.raises(StatusError, match="a stays"):
        world.client.update("configmaps", {**made, "data": {"a": "2"}})
    with pytest.raises(StatusError, match="failed expression"):
        world.client.delete("configmaps", "shop", "settings")


def test_a_binding_that_only_warns_lets_the_write_through(world: World) -> None:
    world.policy({"expression": "false", "message": "hm"}, binding={"validationActions": ["Warn"]})

    world.configmap()

    told = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': hm"
    assert list(world.client.warnings) == [told]


def test_parameters_are_objects_that_the_binding_names(world: World) -> None:
    limits = {"name": "limits", "namespace": "shop"}
    world.client.create("secrets", {"metadata": limits, "data": {"most": "MQ=="}})
    world.policy(
        {"expression": "size(object.data) <= int(string(base64.decode(params.data.most)))"},
        paramKind={"apiVersion": "v1", "kind": "Secret"},
        binding={"paramRef": {"name": "limits", "parameterNotFoundAction": "Deny"}},
    )

    world.configmap("one", a="1")
    with pytest.raises(StatusError, match="failed expression"):
        world.configmap("two", a="1", b="2")
    world.client.delete("secrets", "shop", "limits")
    with pytest.raises(StatusError, match="no params found for policy binding with `Deny`"):
        world.configmap("three")


def test_a_policy_whose_expression_is_none_is_refused(world: World) -> None:
    with pytest.raises(InvalidError) as refused:
        world.policy({"expression": "'a'"}, {"expression": "object."})

    assert "spec.validations[0].expression" in refused.value.message
    assert "must evaluate to bool but got string" in refused.value.message
    assert "compilation failed: ERROR: <input>:1:8: Syntax error" in refused.value.message


def test_a_refusal_by_a_match_condition_without_a_value_is_told(world: World) -> None:
    conditions = [{"name": "broken", "expression": "object.none == 1"}]
    world.policy({"expression": "true"}, matchConditions=conditions)

    with pytest.raises(StatusError, match=r"expression 'object.none == 1' resulted in error: no such key"):
        world.configmap()


def test_a_rule_with_names_is_about_these_objects_only(world: World) -> None:
    world.policy(
        {"expression": "false"}, constraints={"resourceRules": [{**RULE, "resourceNames": ["locked"]}]}
    )

    world.configmap("free")
    with pytest.raises(StatusError, match="failed expression"):
        world.configmap("locked")


def test_a_rule_that_leaves_out_names_leaves_out_these_objects_only(world: World) -> None:
    left_out = {**RULE, "resourceNames": ["free"]}
    world.policy({"expression": "false"}, constraints={"excludeResourceRules": [left_out]})

    world.configmap("free")
    with pytest.raises(StatusError, match="failed expression"):
        world.configmap("locked")


def test_policies_are_no_matter_of_policies(world: World) -> None:
    rule = {**RULE, "apiGroups": ["*"], "resources": ["*"], "apiVersions": ["*"]}
    world.policy({"expression": "false"}, constraints={"resourceRules": [rule]})

    world.client.delete(BINDINGS, "", "b")
    assert world.configmap()["data"] == {}
