"""Expressions of policies and webhooks ask what users may do."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.interface.user import User
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.client import RegistryClient
from leeward.cluster.registry.options import WriteOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import InvalidError, StatusError

GROUP = "admissionregistration.k8s.io"
RBAC = "rbac.authorization.k8s.io"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}
JANE = User("jane", ("system:authenticated",))


class World:
    """A registry in which jane may create ConfigMaps in "shop", and an account there may read a path."""

    def __init__(self) -> None:
        options = AdmissionOptions(disabled=("ServiceAccount",))
        self.registry = Registry(MemoryStore(), clock=VirtualClock(), ids=SeededIds(1), options=options)
        self.admin: RegistryClient = self.registry.client("admin")
        self.admin.create("namespaces", {"metadata": {"name": "shop"}})
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}]
        self._bind("roles", "makers", rules, {"kind": "User", "name": "jane"})
        rules = [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
        account = {"kind": "ServiceAccount", "name": "reader", "namespace": "shop"}
        self._bind("clusterroles", "readers", rules, account)

    def _bind(self, resource: str, name: str, rules: list[Obj], subject: Obj) -> None:
        kind = "Role" if resource == "roles" else "ClusterRole"
        meta = {"name": name, **({"namespace": "shop"} if kind == "Role" else {})}
        self.admin.create(f"{resource}.{RBAC}", {"metadata": meta, "rules": rules})
        bound = {
            "metadata": meta,
            "subjects": [subject],
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        }
        self.admin.create(f"{kind.lower()}bindings.{RBAC}", bound)

    def policy(self, expression: str, variables: Mapping[str, str] | None = None, **validation: str) -> None:
        spec = {
            "matchConstraints": {"resourceRules": [RULE]},
            "variables": [{"name": name, "expression": each} for name, each in (variables or {}).items()],
            "validations": [{"expression": expression, **validation}],
        }
        made = {"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"}, "spec": spec}
        self.admin.create(f"validatingadmissionpolicies.{GROUP}", made)
        bound = {"policyName": "p", "validationActions": ["Deny"]}
        made = {"kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "b"}, "spec": bound}
        self.admin.create(f"validatingadmissionpolicybindings.{GROUP}", made)

    def write(self) -> Obj:
        made = {"metadata": {"name": "a", "namespace": "shop"}, "data": {}}
        return self.registry.create("configmaps", made, WriteOptions(user=JANE))


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    "expression",
    [
        "authorizer.group('').resource('configmaps').namespace('shop').check('create').allowed()",
        "!authorizer.group('').resource('configmaps').namespace('other').check('create').allowed()",
        "!authorizer.group('').resource('configmaps').subresource('x').namespace('shop').check('create').allowed()",
        "!authorizer.group('apps').resource('configmaps').namespace('shop').check('create').allowed()",
        "authorizer.requestResource.check('create').allowed()",
        "!authorizer.requestResource.check('delete').allowed()",
        "authorizer.requestResource.check('create').reason().startsWith('RBAC: allowed by RoleBinding')",
        "authorizer.requestResource.check('delete').reason() == ''",
        "!authorizer.requestResource.check('delete').errored()",
        "authorizer.requestResource.check('delete').error() == ''",
        "!authorizer.path('/metrics').check('get').allowed()",
        "authorizer.serviceAccount('shop', 'reader').path('/metrics').check('get').allowed()",
        "!authorizer.serviceAccount('shop', 'other').path('/metrics').check('get').allowed()",
        "authorizer.group('').resource('configmaps').namespace('shop').name('a').fieldSelector('x=y')"
        ".labelSelector('a').check('create').allowed()",
        "['create', 'delete'].filter(v, authorizer.requestResource.check(v).allowed()) == ['create']",
    ],
)
def test_an_expression_asks_what_users_may_do(world: World, expression: str) -> None:
    world.policy(expression)

    assert world.write()["metadata"]["name"] == "a"


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("authorizer.path(' ').check('get').allowed()", "path must not be empty"),
        ("authorizer.group('').resource('').check('get').allowed()", "resource must not be empty"),
        ("authorizer.serviceAccount('shop', 'A B').path('/').check('x').allowed()", "account name"),
        ("authorizer.serviceAccount('a.b', 'a').path('/').check('x').allowed()", "account namespace"),
    ],
)  # fmt: skip
def test_a_question_that_is_none_fails(world: World, expression: str, told: str) -> None:
    world.policy(expression)

    with pytest.raises(StatusError, match=told):
        world.write()


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("authorizer.group('').check('get').allowed()", "found no matching overload for 'check' applied to"),
        ("authorizer.requestResource", "but got kubernetes.authorization.ResourceCheck"),
        ("authorizer.group(1).resource('x').check('y').allowed()", "found no matching overload for 'group'"),
    ],
)
def test_types_of_questions_are_checked_when_the_policy_is_written(
    world: World, expression: str, told: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        world.policy(expression)
    assert told in refused.value.message


def test_one_expression_can_afford_two_questions_and_variables_have_means_of_their_own(world: World) -> None:
    asked = [f"authorizer.requestResource.check('{verb}').allowed()" for verb in ("get", "list", "create")]
    world.policy(" || ".join(asked))
    with pytest.raises(StatusError, match="actual cost limit exceeded"):
        world.write()

    world = World()
    world.policy("variables.a || variables.b || variables.c", dict(zip("abc", asked, strict=True)))
    assert world.write()["metadata"]["name"] == "a"


def test_a_variable_without_a_value_matters_only_where_it_is_needed(world: World) -> None:
    world.policy("!has(object.x) || variables.x == 1", {"x": "object.x"})
    assert world.write()["metadata"]["name"] == "a"

    world = World()
    world.policy("variables.x == 1", {"x": "object.x"})
    with pytest.raises(StatusError, match='composited variable "x" fails to evaluate: no such key: x'):
        world.write()


def test_an_expression_that_makes_a_message_has_no_authorizer(world: World) -> None:
    with pytest.raises(InvalidError, match="undeclared reference to 'authorizer"):
        world.policy("true", messageExpression="string(authorizer.requestResource.check('x').allowed())")


def test_mutating_policies_and_their_conditions_ask_too(world: World) -> None:
    spec = {
        "matchConstraints": {"resourceRules": [RULE]},
        "matchConditions": [
            {"name": "may", "expression": "authorizer.requestResource.check('create').allowed()"}
        ],
        "mutations": [
            {
                "patchType": "ApplyConfiguration",
                "applyConfiguration": {
                    "expression": "Object{data: {'d': string(authorizer.path('/').check('x').allowed())}}"
                },
            }
        ],
        "reinvocationPolicy": "Never",
    }
    made = {"kind": "MutatingAdmissionPolicy", "metadata": {"name": "p"}, "spec": spec}
    world.admin.create(f"mutatingadmissionpolicies.{GROUP}", made)
    bound = {"metadata": {"name": "p"}, "spec": {"policyName": "p"}, "kind": "MutatingAdmissionPolicyBinding"}
    world.admin.create(f"mutatingadmissionpolicybindings.{GROUP}", bound)

    assert world.write()["data"] == {"d": "false"}
