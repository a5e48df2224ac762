"""Webhook configurations, and admission policies but for their expressions.

Source: pkg/apis/admissionregistration/validation/validation.go (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from leeward.cluster.cel.expressions import CelSyntaxError, Program
from leeward.cluster.registry.admission.policies.expressions import message, program
from leeward.cluster.registry.admission.policies.patches import expression_of, mistake_in
from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    forbidden,
    invalid,
    required,
    unsupported,
)
from leeward.cluster.registry.validation.formats import (
    dns_1035,
    dns_subdomain,
    each_failure,
    label_selector_failures,
    port_number,
    qualified_name,
)
from leeward.kube.objects import Obj

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_POLICIES = ("Fail", "Ignore")
_ACTIONS = ("Audit", "Deny", "Warn")
_MUTABLE = ("*", "CONNECT", "CREATE", "UPDATE")
_PATCHES = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
REVIEW_VERSIONS = ("v1", "v1beta1")
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_HTTPS = "; desired format: https://host[/path]"


def webhook_failures(obj: Obj) -> list[Failure]:
    """Check a ValidatingWebhookConfiguration or MutatingWebhookConfiguration."""
    found: list[Failure] = []
    names: set[str] = set()
    for index, hook in enumerate(obj.get("webhooks") or ()):
        place, name = f"webhooks[{index}]", hook.get("name") or ""
        found += _hook(hook, place, mutating=obj.get("kind") == "MutatingWebhookConfiguration")
        if name in names:
            found.append(duplicate(f"{place}.name", name))
        names.add(name)
    return found


def _hook(hook: Obj, field: str, *, mutating: bool) -> list[Failure]:
    name = hook.get("name") or ""
    found = _qualified(name, f"{field}.name")
    for at, rule in enumerate(hook.get("rules") or ()):
        found += _rule(rule, f"{field}.rules[{at}]")
    found += _enumerated(hook, field, "failurePolicy", _POLICIES)
    found += _enumerated(hook, field, "matchPolicy", ("Equivalent", "Exact"))
    effects, supported = hook.get("sideEffects"), ("None", "NoneOnDryRun")
    place = f"{field}.sideEffects"
    if effects is None:
        found.append(required(place, f"must specify one of {', '.join(supported)}"))
    elif effects not in supported:
        found.append(unsupported(place, effects, supported))
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        text = "the timeout value must be between 1 and 30 seconds"
        found.append(invalid(f"{field}.timeoutSeconds", seconds, text))
    for selector in ("namespaceSelector", "objectSelector"):
        found += label_selector_failures(hook.get(selector), f"{field}.{selector}")
    if mutating:
        found += _enumerated(hook, field, "reinvocationPolicy", ("IfNeeded", "Never"))
    found += client_failures(hook.get("clientConfig") or {}, f"{field}.clientConfig")
    found += _versions(hook.get("admissionReviewVersions") or [], f"{field}.admissionReviewVersions")
    return found + _match_conditions(hook.get("matchConditions") or (), f"{field}.matchConditions")


def _qualified(name: str, field: str) -> list[Failure]:
    if not name:
        return [required(field)]
    found = each_failure(dns_subdomain, name, field)
    if not found and len(name.split(".")) < 3:
        text = "should be a domain with at least three segments separated by dots"
        found.append(invalid(field, name, text))
    return found


def _enumerated(hook: Obj, field: str, name: str, supported: Sequence[str]) -> list[Failure]:
    value = hook.get(name)
    return [] if value is None or value in supported else [unsupported(f"{field}.{name}", value, supported)]


def _versions(versions: list[str], field: str) -> list[Failure]:
    if not versions:
        return [required(field, f"must specify one of {', '.join(REVIEW_VERSIONS)}")]
    found: list[Failure] = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            found.append(invalid(f"{field}[{index}]", version, "duplicate version"))
        found += each_failure(dns_1035, version, f"{field}[{index}]")
    if not any(version in REVIEW_VERSIONS for version in versions):
        text = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        found.append(invalid(field, versions, text))
    return found


def client_failures(client: Obj, field: str) -> list[Failure]:
    """Check how a webhook is reached."""
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(field, "exactly one of url or service is required")]
    if url is not None:
        return _url(url, f"{field}.url")
    assert service is not None
    place = f"{field}.service"
    found: list[Failure] = []
    if not service.get("name"):
        found.append(required(f"{place}.name", "service name is required"))
    if not service.get("namespace"):
        found.append(required(f"{place}.namespace", "service namespace is required"))
    port = service.get("port")
    if port is not None:
        text = "port is not valid: "
        found += [invalid(f"{place}.port", port, text + why) for why in port_number(port)]
    path = service.get("path")
    if path is not None and not path.startswith("/"):
        found.append(invalid(f"{place}.path", path, "must start with a '/'"))
    return found


def _url(url: str, field: str) -> list[Failure]:
    parts = urlsplit(url)
    found: list[Failure] = []
    if parts.scheme != "https":
        found.append(invalid(field, parts.scheme, f"'https' is the only allowed URL scheme{_HTTPS}"))
    if not parts.netloc:
        found.append(invalid(field, parts.netloc, f"host must be specified{_HTTPS}"))
    if parts.username:
        found.append(invalid(field, parts.username, f"user information is not permitted in the URL{_HTTPS}"))
    if parts.fragment:
        found.append(invalid(field, parts.fragment, f"fragments are not permitted in the URL{_HTTPS}"))
    if parts.query:
        found.append(invalid(field, parts.query, f"query parameters are not permitted in the URL{_HTTPS}"))
    return found


def _rule(rule: Obj, field: str) -> list[Failure]:
    operations = rule.get("operations") or []
    found: list[Failure] = []
    if not operations:
        found.append(required(f"{field}.operations"))
    if len(operations) > 1 and "*" in operations:
        text = "if '*' is present, must not specify other operations"
        found.append(invalid(f"{field}.operations", operations, text))
    for index, operation in enumerate(operations):
        if operation not in _OPERATIONS:
            found.append(unsupported(f"{field}.operations[{index}]", operation, _OPERATIONS))
    found += _all_or_some(rule.get("apiGroups") or [], f"{field}.apiGroups", "API groups")
    versions = rule.get("apiVersions") or []
    found += _all_or_some(versions, f"{field}.apiVersions", "API versions")
    found += [required(f"{field}.apiVersions[{index}]") for index, each in enumerate(versions) if not each]
    found += _resources(rule.get("resources") or [], f"{field}.resources")
    scope = rule.get("scope")
    if scope is not None and scope not in _SCOPES:
        found.append(unsupported(f"{field}.scope", scope, _SCOPES))
    return found


def _all_or_some(values: list[str], field: str, word: str) -> list[Failure]:
    """Check that something is named, and nothing beside everything."""
    if not values:
        return [required(field)]
    if len(values) > 1 and "*" in values:
        return [invalid(field, values, f"if '*' is present, must not specify other {word}")]
    return []


def _resources(resources: list[str], field: str) -> list[Failure]:
    if not resources:
        return [required(field)]
    found: list[Failure] = []
    plain = [each for each in resources if "/" not in each]
    if "*/*" in resources and len(resources) > 1:
        text = "if '*/*' is present, must not specify other resources"
        found.append(invalid(field, resources, text))
    elif "*" in plain and len(plain) > 1:
        text = "if '*' is present, must not specify other resources without subresources"
        found.append(invalid(field, resources, text))
    for index, each in enumerate(resources):
        if not each:
            found.append(required(f"{field}[{index}]"))
    return found


def _match_conditions(conditions: Sequence[Obj], field: str) -> list[Failure]:
    found: list[Failure] = []
    names: set[str] = set()
    for index, condition in enumerate(conditions):
        place, name = f"{field}[{index}]", condition.get("name") or ""
        if not name:
            found.append(required(f"{place}.name"))
        else:
            found += each_failure(qualified_name, name, f"{place}.name")
        if not (condition.get("expression") or "").strip():
            found.append(required(f"{place}.expression"))
        else:
            found += _compiled(condition["expression"], f"{place}.expression", "bool")
        if name in names:
            found.append(duplicate(f"{place}.name", name))
        names.add(name)
    return found


def _compiled(
    expression: str, field: str, wanted: str = "", make: Callable[[str], Program] = program
) -> list[Failure]:
    """Check an expression; `wanted` is the type that it must have."""
    try:
        made = make(expression)
    except CelSyntaxError as error:
        return [invalid(field, expression, f"compilation failed: {error}")]
    if wanted and made.returns not in (wanted, "dyn"):
        return [invalid(field, expression, f"must evaluate to {wanted} but got {made.type}")]
    return []


def policy_failures(obj: Obj) -> list[Failure]:
    """Check a ValidatingAdmissionPolicy or MutatingAdmissionPolicy."""
    spec, validating = obj.get("spec") or {}, obj.get("kind") == "ValidatingAdmissionPolicy"
    found = _enumerated(spec, "spec", "failurePolicy", _POLICIES)
    kind = spec.get("paramKind")
    if kind is not None:
        found += [required(f"spec.paramKind.{name}") for name in ("apiVersion", "kind") if not kind.get(name)]
    constraints = spec.get("matchConstraints")
    if constraints is None:
        found.append(required("spec.matchConstraints"))
    else:
        place = "spec.matchConstraints"
        if not constraints.get("resourceRules"):
            found.append(required(f"{place}.resourceRules"))
        found += _match_resources(constraints, place)
    found += _match_conditions(spec.get("matchConditions") or (), "spec.matchConditions")
    for index, variable in enumerate(spec.get("variables") or ()):
        place, name = f"spec.variables[{index}]", variable.get("name") or ""
        if not name:
            found.append(required(f"{place}.name", "name is not specified"))
        elif not _IDENTIFIER.fullmatch(name):
            found.append(invalid(f"{place}.name", name, "must be a valid CEL identifier"))
        if not (variable.get("expression") or "").strip():
            found.append(required(f"{place}.expression", "expression is not specified"))
        else:
            found += _compiled(variable["expression"], f"{place}.expression")
    return found + (_validations(spec) if validating else _mutations(spec))


def _match_resources(resources: Obj, field: str) -> list[Failure]:
    found = _enumerated(resources, field, "matchPolicy", ("Equivalent", "Exact"))
    for selector in ("namespaceSelector", "objectSelector"):
        found += label_selector_failures(resources.get(selector), f"{field}.{selector}")
    for name in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(resources.get(name) or ()):
            found += _rule(rule, f"{field}.{name}[{index}]")
    return found


def _validations(spec: Obj) -> list[Failure]:
    validations, annotations = spec.get("validations") or (), spec.get("auditAnnotations") or ()
    if not validations and not annotations:
        text = "validations or auditAnnotations must contain at least one item"
        return [required(f"spec.{name}", text) for name in ("validations", "auditAnnotations")]
    found: list[Failure] = []
    for index, each in enumerate(validations):
        place, told = f"spec.validations[{index}]", each.get("message") or ""
        if not (each.get("expression") or "").strip():
            found.append(required(f"{place}.expression", "expression is not specified"))
        else:
            found += _compiled(each["expression"], f"{place}.expression", "bool")
        if each.get("messageExpression"):
            found += _compiled(each["messageExpression"], f"{place}.messageExpression", "string", message)
        if "\n" in told:
            found.append(invalid(f"{place}.message", told, "must not contain line breaks"))
        reason = each.get("reason")
        if reason is not None and reason not in _REASONS:
            found.append(unsupported(f"{place}.reason", reason, _REASONS[:3]))
    for index, each in enumerate(annotations):
        place, key = f"spec.auditAnnotations[{index}]", each.get("key") or ""
        found += [] if key else [required(f"{place}.key")]
        if not (each.get("valueExpression") or "").strip():
            found.append(required(f"{place}.valueExpression", "valueExpression is not specified"))
    return found


def _mutations(spec: Obj) -> list[Failure]:
    found = _mutable(spec.get("matchConstraints"), "spec.matchConstraints")
    mutations = spec.get("mutations") or ()
    if not mutations:
        found.append(required("spec.mutations", "mutations must contain at least one item"))
    for index, each in enumerate(mutations):
        found += _mutation(each, f"spec.mutations[{index}]")
    if not spec.get("reinvocationPolicy"):
        return [*found, required("spec.reinvocationPolicy")]
    return found + _enumerated(spec, "spec", "reinvocationPolicy", ("IfNeeded", "Never"))


def _mutable(constraints: Obj | None, field: str) -> list[Failure]:
    """Check that rules are about what can be changed."""
    place = f"{field}.resourceRules.operations"
    return [
        unsupported(place, each, _MUTABLE)
        for rule in (constraints or {}).get("resourceRules") or ()
        for each in rule.get("operations") or ()
        if each not in _MUTABLE
    ]


def _mutation(mutation: Obj, field: str) -> list[Failure]:
    kind = mutation.get("patchType") or ""
    if not kind:
        return [required(f"{field}.patchType")]
    if kind not in _PATCHES:
        return [unsupported(f"{field}.patchType", kind, tuple(_PATCHES))]
    found: list[Failure] = []
    for name in sorted(_PATCHES.values()):
        place = f"{field}.{name}"
        if name != _PATCHES[kind]:
            if mutation.get(name) is not None:
                told = f"must not be specified when patchType is {kind}"
                found.append(invalid(place, f"{{{name}}}", told))
        elif mutation.get(name) is None:
            found.append(required(place, f"must be specified when patchType is {kind}"))
        elif not expression_of(mutation).strip():
            found.append(required(f"{place}.expression"))
        elif mistake := mistake_in(mutation):
            found.append(invalid(f"{place}.expression", expression_of(mutation), mistake))
    return found


def policy_binding_failures(obj: Obj) -> list[Failure]:
    """Check a binding of a policy."""
    spec = obj.get("spec") or {}
    name = spec.get("policyName") or ""
    found = each_failure(dns_subdomain, name, "spec.policyName") if name else [required("spec.policyName")]
    ref = spec.get("paramRef")
    if ref is not None:
        found += _param_ref(ref, "spec.paramRef")
    if spec.get("matchResources") is not None:
        found += _match_resources(spec["matchResources"], "spec.matchResources")
    if obj.get("kind") == "ValidatingAdmissionPolicyBinding":
        return found + _actions(spec.get("validationActions") or [], "spec.validationActions")
    return found + _mutable(spec.get("matchResources"), "spec.matchResources")


def _param_ref(ref: Obj, field: str) -> list[Failure]:
    found: list[Failure] = []
    if ref.get("name") and ref.get("selector") is not None:
        text = "name and selector are mutually exclusive"
        found += [forbidden(f"{field}.{name}", text) for name in ("name", "selector")]
    elif not ref.get("name") and ref.get("selector") is None:
        found.append(required(field, "one of name or selector must be specified"))
    action, actions = ref.get("parameterNotFoundAction"), ("Allow", "Deny")
    place = f"{field}.parameterNotFoundAction"
    if action is None:
        found.append(required(place))
    elif action not in actions:
        found.append(unsupported(place, action, ("Deny", "Allow")))
    return found


def _actions(actions: list[str], field: str) -> list[Failure]:
    if not actions:
        return [required(field, "at least one validation action is required")]
    found: list[Failure] = []
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            found.append(unsupported(f"{field}[{index}]", action, _ACTIONS))
        if action in actions[:index]:
            found.append(duplicate(f"{field}[{index}]", action))
    if {"Deny", "Warn"} <= set(actions):
        text = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the "
            "API response and headers serves no purpose)"
        )
        found.append(invalid(field, actions, text))
    return found
