"""Mutating policies: expressions change what is written, in upstream's order and words."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.apiserver.decoding import fit_changed
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import InvalidError, StatusError

GROUP = "admissionregistration.k8s.io"
POLICIES, BINDINGS = f"mutatingadmissionpolicies.{GROUP}", f"mutatingadmissionpolicybindings.{GROUP}"
DELETIONS = {
    "resourceRules": [
        {"apiGroups": [""], "apiVersions": ["*"], "resources": ["pods"], "operations": ["DELETE"]}
    ]
}
DENIED = "policy 'p' with binding 'p' denied request: "
TWO = """Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
  containers: [Object.spec.template.spec.containers{name: "side", image: "side:1"}]}}}}"""


def rule(*resources: str, group: str = "", operations: tuple[str, ...] = ("CREATE", "UPDATE")) -> Obj:
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "resources": list(resources),
        "operations": list(operations),
    }


def applied(expression: str) -> Obj:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patched(expression: str) -> Obj:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


class World:
    """A registry with a namespace "shop"."""

    def __init__(self) -> None:
        options = AdmissionOptions(disabled=("ServiceAccount",), fit=fit_changed)
        self.registry = Registry(MemoryStore(), clock=VirtualClock(), ids=SeededIds(1), options=options)
        self.client = self.registry.client("admin").tracked("test", "v1")
        self.client.create("namespaces", {"metadata": {"name": "shop"}})

    def policy(self, *mutations: Obj, name: str = "p", binding: Obj | None = None, **spec: Any) -> None:
        """Make a policy about ConfigMaps and Deployments, and bind it."""
        rules = [rule("configmaps"), rule("deployments", group="apps")]
        spec = {
            "matchConstraints": {"resourceRules": rules},
            "mutations": list(mutations),
            "reinvocationPolicy": "Never",
            **spec,
        }
        kind = {"apiVersion": f"{GROUP}/v1", "kind": "MutatingAdmissionPolicy"}
        self.client.create(POLICIES, {**kind, "metadata": {"name": name}, "spec": spec})
        kind = {"apiVersion": f"{GROUP}/v1", "kind": "MutatingAdmissionPolicyBinding"}
        bound = {"policyName": name, **(binding or {})}
        self.client.create(BINDINGS, {**kind, "metadata": {"name": name}, "spec": bound})

    def configmap(self, name: str = "settings", **data: str) -> Obj:
        meta = {"name": name, "namespace": "shop"}
        return self.client.create(
            "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        )

    def deployment(self, replicas: int = 1) -> Obj:
        labels = {"app": "web"}
        container = {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]}
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }
        meta = {"name": "web", "namespace": "shop"}
        made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
        return self.client.create("deployments.apps", made)


@pytest.fixture
def world() -> World:
    return World()


def test_a_configuration_is_merged_into_what_is_written(world: World) -> None:
    world.policy(applied('Object{metadata: Object.metadata{labels: {"team": "a"}}, data: {"size": "1"}}'))

    made = world.configmap(kept="yes")

    assert made["metadata"]["labels"] == {"team": "a"}
    assert made["data"] == {"kept": "yes", "size": "1"}


def test_items_of_lists_are_merged_by_their_keys_and_what_is_new_gets_defaults(world: World) -> None:
    world.policy(applied(TWO))

    containers = world.deployment()["spec"]["template"]["spec"]["containers"]

    assert [each["name"] for each in containers] == ["web", "side"]
    assert containers[0]["env"] == [{"name": "A", "value": "1"}]
    assert containers[1]["imagePullPolicy"] == "IfNotPresent"


def test_a_configuration_sees_the_object_and_counts_with_whole_numbers(world: World) -> None:
    world.policy(
        applied(
            "Object{spec: Object.spec{replicas: object.spec.replicas % 2 == 0 "
            "? object.spec.replicas + 1 : object.spec.replicas}}"
        )
    )

    assert world.deployment(replicas=2)["spec"]["replicas"] == 3


def test_a_json_patch_changes_removes_and_escapes_keys(world: World) -> None:
    world.policy(
        patched("""[
          JSONPatch{op: "test", path: "/data/old", value: "1"},
          JSONPatch{op: "remove", path: "/data/old"},
          JSONPatch{op: "add", path: "/metadata/labels", value: {"x": "y"}},
          JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a/b"), value: "1"},
          JSONPatch{op: "copy", from: "/data/new", path: "/data/copy"}]""")
    )

    made = world.configmap(old="1", new="2")

    assert made["data"] == {"new": "2", "copy": "2"}
    assert made["metadata"]["labels"] == {"x": "y", "a/b": "1"}


def test_a_json_patch_whose_test_does_not_hold_changes_nothing(world: World) -> None:
    world.policy(
        patched("""[JSONPatch{op: "add", path: "/data/b", value: "1"},
                    JSONPatch{op: "test", path: "/data/a", value: "no"}]""")
    )

    assert world.configmap(a="1")["data"] == {"a": "1"}


def test_a_json_patch_adds_constructed_objects(world: World) -> None:
    world.policy(
        patched("""[JSONPatch{op: "add", path: "/spec/template/spec/containers/-",
                    value: Object.spec.template.spec.containers{name: "b", image: "b:1",
                      ports: [Object.spec.template.spec.containers.ports{containerPort: 80}]}}]""")
    )

    added = world.deployment()["spec"]["template"]["spec"]["containers"][1]

    assert (added["name"], added["ports"]) == ("b", [{"containerPort": 80, "protocol": "TCP"}])


@pytest.mark.parametrize(
    ("mutation", "why"),
    [
        (
            applied('Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {"l": "v"}}}}'),
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or "
            "structs: "
            ".spec.selector",
        ),
        (
            applied("Object{spec: Object.specx{replicas: 1}}"),
            'type mismatch: unexpected type name "Object.specx", expected "Object.spec", which matches field '
            "name path from root Object type",
        ),
        (
            applied("Object{spec: Object.spec{replicasx: 1}}"),
            "error applying patch: failed to convert patch object to typed object: .spec.replicasx: field "
            "not declared in schema",
        ),
        (
            patched('[JSONPatch{op: "replace", path: "/spec/template/spec/containers/-", value: "x"}]'),
            "JSON Patch: replace operation does not apply: doc is missing key: "
            "/spec/template/spec/containers/-: missing value",
        ),
        (
            patched('[JSONPatch{op: "add", path: "/spec/none/x", value: "x"}]'),
            'JSON Patch: add operation does not apply: doc is missing path: "/spec/none/x": missing value',
        ),
        (
            patched('[JSONPatch{op: "add", path: "/x", value: object.none}]'),
            "expression '[JSONPatch{op: \"add\", path: \"/x\", value: object.none}]' resulted in error: no "
            "such key: none",
        ),
    ],
)  # fmt: skip
def test_a_mutation_that_fails_refuses_the_write_in_upstreams_words(
    world: World, mutation: Obj, why: str
) -> None:
    world.policy(mutation)

    with pytest.raises(StatusError) as refused:
        world.deployment()

    assert refused.value.message == f"{DENIED}{why}"
    assert (refused.value.code, refused.value.reason) == (403, "Invalid")


def test_a_mutation_that_fails_is_left_out_where_failures_are_ignored_and_the_next_goes_on(
    world: World,
) -> None:
    world.policy(
        applied("Object{spec: Object.spec{nonsense: 1}}"),
        applied("Object{spec: Object.spec{replicas: 7}}"),
        failurePolicy="Ignore",
    )

    assert world.deployment()["spec"]["replicas"] == 7


def test_a_json_patch_that_leaves_no_object_of_the_kind_is_an_internal_error(world: World) -> None:
    world.policy(patched('[JSONPatch{op: "add", path: "/spec/portZ", value: 1}]'), failurePolicy="Ignore")

    with pytest.raises(StatusError, match=r'strict decoding error: unknown field "spec\.portZ"') as refused:
        world.deployment()

    assert refused.value.code == 500


def test_values_of_the_wrong_type_are_refused(world: World) -> None:
    world.policy(applied('Object{spec: Object.spec{replicas: "many"}}'))

    with pytest.raises(StatusError, match="failed to convert patch object to typed object: json: cannot"):
        world.deployment()


def test_parameters_variables_and_match_conditions_are_seen_as_in_validating_policies(world: World) -> None:
    world.configmap("limits", least="3")
    world.policy(
        applied("Object{spec: Object.spec{replicas: variables.least}}"),
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        variables=[{"name": "least", "expression": "int(params.data.least)"}],
        matchConditions=[{"name": "few", "expression": "object.spec.replicas < 3"}],
        matchConstraints={"resourceRules": [rule("deployments", group="apps")]},
        binding={"paramRef": {"name": "limits", "parameterNotFoundAction": "Deny"}},
    )

    assert world.deployment(replicas=1)["spec"]["replicas"] == 3


def test_parameters_that_are_missing_refuse(world: World) -> None:
    world.policy(
        applied("Object{}"),
        paramKind={"apiVersion": "v1", "kind": "Secret"},
        binding={"paramRef": {"name": "none", "parameterNotFoundAction": "Deny"}},
    )

    with pytest.raises(
        StatusError, match="failed to configure binding: no params found for policy"
    ) as refused:
        world.configmap()

    assert refused.value.reason == "Forbidden"


def counting(field: str, other: str) -> Obj:
    """Count what is asked in a field, and how often the other was then."""
    text = f"(has(object.data.{{0}}) ? object.data.{{0}} : '') + '{field}'"
    return applied(f"Object{{data: {{'{field}': {text.format(field)}, 'saw': {text.format('saw')}}}}}")


def test_a_policy_is_asked_again_only_if_it_wants_to_and_something_changed(world: World) -> None:
    world.policy(counting("a", "b"), name="a", reinvocationPolicy="IfNeeded")
    world.policy(counting("b", "a"), name="b")

    made = world.configmap(x="1")

    assert (made["data"]["a"], made["data"]["b"]) == ("aa", "b")
    assert made["data"]["saw"] == "aba"


def test_a_policy_whose_condition_a_later_one_fulfils_is_not_asked_for_that(world: World) -> None:
    has = [{"name": "has", "expression": "has(object.data.b)"}]
    world.policy(counting("a", "b"), name="a", reinvocationPolicy="IfNeeded", matchConditions=has)
    world.policy(counting("b", "a"), name="b", reinvocationPolicy="IfNeeded")

    made = world.configmap(x="1")

    assert made["data"] == {"x": "1", "b": "bb", "saw": "bb"}


def test_an_update_is_changed_and_a_deletion_is_nothing_to_change(world: World) -> None:
    world.policy(
        applied("Object{data: {'was': oldObject == null ? 'new' : oldObject.data.was + '+'}}"),
        matchConstraints={"resourceRules": [rule("configmaps", operations=("*",))]},
    )
    made = world.configmap()

    assert world.client.update("configmaps", made)["data"] == {"was": "new+"}
    world.client.delete("configmaps", "shop", "settings")


def test_policies_are_about_other_things_than_themselves(world: World) -> None:
    world.policy(applied('Object{metadata: Object.metadata{labels: {"x": "y"}}}'), name="a",
                 matchConstraints={"resourceRules": [rule("*", group="*")]})  # fmt: skip
    world.policy(applied("Object{}"), name="b")

    assert "labels" not in world.client.get(POLICIES, "", "b")["metadata"]


def test_custom_objects_are_merged_by_their_schema(world: World) -> None:
    port = {"type": "object", "properties": {"name": {"type": "string"}, "port": {"type": "integer"}}}
    ports = {
        "type": "array",
        "items": port,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    spec = {"type": "object", "properties": {"ports": ports}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    world.client.create(
        "customresourcedefinitions.apiextensions.k8s.io",
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "gates.example.com"},
            "spec": {
                "group": "example.com",
                "names": {"plural": "gates", "singular": "gate", "kind": "Gate", "listKind": "GateList"},
                "scope": "Namespaced",
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            },
        },
    )
    world.policy(
        applied("Object{spec: Object.spec{ports: [Object.spec.ports{name: 'a', port: 2}, {'name': 'b'}]}}"),
        matchConstraints={"resourceRules": [rule("gates", group="example.com")]},
    )

    made = world.client.create(
        "gates.example.com",
        {
            "apiVersion": "example.com/v1",
            "kind": "Gate",
            "metadata": {"name": "g", "namespace": "shop"},
            "spec": {"ports": [{"name": "a", "port": 1}]},
        },
    )

    assert made["spec"]["ports"] == [{"name": "a", "port": 2}, {"name": "b"}]


def _definition(mutation: Obj, **spec: Any) -> Obj:
    return {
        "metadata": {"name": "p"},
        "spec": {
            "matchConstraints": {"resourceRules": [rule("pods")]},
            "mutations": [mutation],
            "reinvocationPolicy": "Never",
            **spec,
        },
    }


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        (_definition(applied("'x'")), "must evaluate to Object but got string"),
        (_definition(applied("Object.spec.metadata{}")), "but got Object.spec.metadata"),
        (_definition(patched("[1]")), "must evaluate to list(JSONPatch) but got list(int)"),
        (_definition(patched("[JSONPatch{opp: ''}]")), "ERROR: <input>:1:15: undefined field 'opp'"),
        (_definition(patched(" ")), "spec.mutations[0].jsonPatch.expression: Required value"),
        (_definition({"patchType": "JSONPatch"}), "jsonPatch: Required value: must be specified when"),
        (
            _definition({**applied("Object{}"), "jsonPatch": {"expression": "[]"}}),
            'spec.mutations[0].jsonPatch: Invalid value: "{jsonPatch}": must not be specified when',
        ),
        (_definition(applied("Object{}"), reinvocationPolicy=""), "spec.reinvocationPolicy: Required value"),
        (
            _definition(applied("Object{}"), matchConstraints=DELETIONS),
            'operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"',
        ),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_carried_out_is_refused(world: World, definition: Obj, told: str) -> None:
    with pytest.raises(InvalidError) as refused:
        world.client.create(POLICIES, {**definition, "kind": "MutatingAdmissionPolicy"})
    assert told in refused.value.message
