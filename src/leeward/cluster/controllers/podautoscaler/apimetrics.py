"""What metrics propose that other servers know: of kinds Pods, Object and External. Pure.

Source: computeStatusFor{Object,Pods,External}Metric of ``horizontal.go`` and the client in metrics/client.go
of pkg/controller/podautoscaler; the text of a LabelSelector is apimachinery's (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction

from leeward.cluster.controllers.podautoscaler.proposals import (
    Failure,
    Proposal,
    Target,
    Warned,
    tolerances_of,
)
from leeward.cluster.controllers.podautoscaler.replicas import (
    ByAverage,
    Reading,
    UnmeasuredError,
    calculate,
    of_each,
    of_total,
    ready_pods,
)
from leeward.cluster.interface.metrics import (
    Answer,
    Described,
    Measurement,
    MetricQuery,
    MetricsApiError,
    not_registered,
)
from leeward.kube.objects import Obj
from leeward.kube.quantity import Amount, to_millis
from leeward.kube.scale import selector_text

KINDS = ("Pods", "Object", "External")


def queries_of(autoscaler: Obj, selector: str) -> list[MetricQuery]:
    """Return what has to be asked for an autoscaler whose target's Pods have a label selector."""
    namespace, metrics = autoscaler["metadata"]["namespace"], autoscaler["spec"].get("metrics") or ()
    return [query_of(metric, namespace, selector) for metric in metrics if metric["type"] in KINDS]


def query_of(metric: Obj, namespace: str, selector: str) -> MetricQuery:
    """Return what has to be asked for one metric."""
    source = metric[metric["type"].lower()]
    named, labels = source["metric"]["name"], selector_text(source["metric"].get("selector") or {})
    if metric["type"] == "Pods":
        return MetricQuery(kind="Pods", namespace=namespace, metric=named, labels=labels, pods=selector)
    if metric["type"] == "External":
        return MetricQuery(kind="External", namespace=namespace, metric=named, labels=labels)
    about = source["describedObject"]
    described = Described(about.get("apiVersion") or "", about["kind"], about["name"])
    return MetricQuery(kind="Object", namespace=namespace, metric=named, labels=labels, described=described)


def propose(autoscaler: Obj, metric: Obj, target: Target, now: datetime) -> Proposal | Failure:
    """Return what one metric of an autoscaler proposes."""
    query = query_of(metric, autoscaler["metadata"]["namespace"], target.selector)
    kind, source = query.kind, metric[query.kind.lower()]
    average = source["target"].get("averageValue")
    if kind == "Object" and source["target"]["type"] != "AverageValue":
        average = None
    try:
        found = _found(query, source, target.answers.get(query))
        replicas, value = _compared(autoscaler, source, average, target, found, now, kind)
    except UnmeasuredError as error:
        return _failure(kind, query.metric, by_average=average is not None, text=str(error))
    word = "value" if average is None else "averageValue"
    status: Obj = {"metric": source["metric"], "current": {word: str(Amount(Fraction(value, 1000)))}}
    if kind == "Object":
        status = {**status, "describedObject": source["describedObject"]}
    return Proposal(replicas, _named(kind, source, average), {"type": kind, kind.lower(): status})


def _named(kind: str, source: Obj, average: object) -> str:
    name = source["metric"]["name"]
    if kind == "Pods":
        return f"pods metric {name}"
    if kind == "Object" and average is None:
        return f"{source['describedObject']['kind']} metric {name}"
    return f"external metric {name}({in_go(source['metric'].get('selector'))})"


def _compared(
    autoscaler: Obj,
    source: Obj,
    average: str | None,
    target: Target,
    found: Sequence[Measurement],
    now: datetime,
    kind: str,
) -> tuple[int, int]:
    """Return the replicas that a metric asks for, and its value as the status shows it.

    Raises:
        UnmeasuredError: it cannot be told.
    """
    tolerances = tolerances_of(autoscaler)
    if kind == "Pods":
        if not target.pods:
            raise UnmeasuredError("no pods returned by selector while calculating replica count")
        readings = {each.name: Reading(each.millis, each.timestamp, each.window) for each in found}
        gauge = ByAverage(to_millis(source["target"]["averageValue"]))
        replicas, measured = calculate(
            target.pods,
            readings,
            lambda: gauge,
            resource="",
            current=target.replicas,
            tolerances=tolerances,
            now=now,
        )
        return replicas, measured.average
    total = sum(each.millis for each in found)
    if average is not None:
        return of_each(total, to_millis(average), target.observed, tolerances)
    ratio = total / to_millis(source["target"]["value"])
    return of_total(ratio, target.replicas, lambda: ready_pods(target.pods), tolerances), total


def _found(query: MetricQuery, source: Obj, answer: Answer | None) -> Sequence[Measurement]:
    """Return what was answered.

    Raises:
        UnmeasuredError: nothing that can be used.
    """
    api = "external" if query.kind == "External" else "custom"
    answer = not_registered(query) if answer is None else answer
    if isinstance(answer, MetricsApiError):
        text = f"unable to fetch metrics from {api} metrics API: {answer}"
    elif not answer and query.kind != "Object":
        text = f"no metrics returned from {api} metrics API"
    else:
        return answer
    if query.kind == "External":
        where = f"{query.namespace}/{query.metric}/{in_go(source['metric'].get('selector'))}"
        raise UnmeasuredError(f"unable to get external metric {where}: {text}")
    if query.described is not None:  # upstream has its words in the wrong order
        text = f"{query.described.kind} on {query.namespace} {query.described.name}/{text}"
    raise UnmeasuredError(f"unable to get metric {query.metric}: {text}")


def _failure(kind: str, name: str, *, by_average: bool, text: str) -> Failure:
    """Return what is said of a metric that proposes nothing: once alone, once in the summary of all."""
    if kind == "External":
        what = f"{name} external metric" if by_average else f"external metric {name}"
        whole = f"failed to get {name} external metric value: failed to get {what}: {text}"
    elif kind == "Object":
        more = f"failed to get {name} object metric: " if by_average else ""
        whole = f"failed to get object metric value: {more}{text}"
    else:
        whole = f"failed to get pods metric value: {text}"
    return Failure(Warned(f"FailedGet{kind}Metric", text), whole)


def in_go(selector: Obj | None) -> str:
    """Return how Go shows a label selector."""
    if selector is None:
        return "nil"
    wanted = sorted((selector.get("matchLabels") or {}).items())
    labels = "".join(f"{key}: {value}," for key, value in wanted)
    rules = "".join(map(_rule_in_go, selector.get("matchExpressions") or ()))
    shown = f"map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{rules}}}"
    return f"&LabelSelector{{MatchLabels:{shown},}}"


def _rule_in_go(rule: Obj) -> str:
    values: Iterable[str] = rule.get("values") or ()
    shown = f"Key:{rule['key']},Operator:{rule['operator']},Values:[{' '.join(values)}],"
    return f"LabelSelectorRequirement{{{shown}}},"
