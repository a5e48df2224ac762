"""A Helm chart of several environments: their manifests, with what people set per release as values.

The templates are the manifests with these places taken out. Where environments differ in anything else, a
condition on ``.Values.environment`` says so; ``values.yaml`` is the first environment, ``values-NAME.yaml``
what each has otherwise. Anything in a manifest that looks like a template is escaped.

Invariant: the chart with the values of an environment gives its objects, but the Namespace, which is Helm's.

Source: helm.sh/docs/topics/charts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from leeward.kube.objects import Obj, labels_of
from leeward.kube.patch.merge import merge_diff
from leeward.kube.wellknown import APP_NAME
from leeward.render.order import in_order
from leeward.render.writers.emitter import to_yaml
from leeward.render.writers.helmschema import schema
from leeward.render.writers.helmvalues import Marks, Taker
from leeward.render.writers.weave import weave
from leeward.render.writers.yaml import HEADER, Origins, file_of, to_text

_CHART = {"apiVersion": "v2", "type": "application"}
_ABOUT = """\
# services.NAME.image         repository, tag, digest; the digest wins
#              .replicas      how many Pods; where it is missing, autoscale decides
#              .autoscale     minReplicas, maxReplicas, targets in percent of what is requested
#              .resources     requests and limits of the container
#              .env           variables of the container; always text, so use --set-string for numbers
#              .extraEnv      more of them, as in a Pod: [{name: A, value: b}]
#              .hosts         host names that lead to the service
#              .tls           secretName, or certificateArn for a load balancer of AWS
#              .storage       size and storageClassName of its volumes; an empty class is the default one
# volumes                     the same of volumes that services share
"""
_IMAGE = """\
{{- define "%s" -}}
{{ .repository }}{{ with .tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}
"""


def helm(
    name: str,
    renderings: Mapping[str, Sequence[Obj]],
    origins: Origins | None = None,
    *,
    version: str = "0.1.0",
) -> dict[str, str]:
    """Return path → content of a chart.

    Args:
        name: of the chart, a DNS label.
        renderings: environment → its objects; ``values.yaml`` is the first one's.
        origins: where they come from, by kind and name.
        version: of the chart.
    """
    image = f"{name}.image"
    marks = Marks(_free_prefix(renderings), image)
    takers, marked = {}, {}
    for environment, objects in renderings.items():
        services = {labels_of(obj).get(APP_NAME, "") for obj in objects} - {""}
        takers[environment] = Taker(marks, services)
        marked[environment] = {
            (obj["kind"], obj["metadata"]["name"]): takers[environment].marked(obj)
            for obj in objects
            if obj["kind"] != "Namespace"
        }
    several = len(renderings) > 1
    values = {
        environment: {**({"environment": environment} if several else {}), **taker.values}
        for environment, taker in takers.items()
    }
    first = next(iter(values.values()))
    about = {**_CHART, "name": name, "version": version, "description": f"{name}, rendered by leeward"}
    return {
        "Chart.yaml": HEADER + to_yaml(about),
        "values.yaml": f"{HEADER}#\n{_ABOUT}{to_yaml(first)}",
        "values.schema.json": json.dumps(schema(values), indent=2, ensure_ascii=False) + "\n",
        **{
            f"values-{environment}.yaml": f"{HEADER}# What {environment} has otherwise than values.yaml.\n"
            + to_yaml(merge_diff(first, own))
            for environment, own in values.items()
        },
        "templates/_helpers.tpl": _IMAGE % image,
        **_templates(marks, marked, origins),
    }


def _templates(
    marks: Marks, marked: Mapping[str, Mapping[tuple[str, str], Obj]], origins: Origins | None
) -> dict[str, str]:
    every = {key: obj for objects in reversed([*marked.values()]) for key, obj in objects.items()}
    files: dict[str, str] = {}
    for obj in in_order(every.values()):
        key = (obj["kind"], obj["metadata"]["name"])
        texts = {
            environment: marks.atoms(_text(objects[key], origins)) if key in objects else []
            for environment, objects in marked.items()
        }
        path = f"templates/{file_of(obj)}"
        files[path] = files.get(path, HEADER) + weave(texts)
    return {path: files[path] for path in sorted(files)}


def _text(obj: Obj, origins: Origins | None) -> str:
    """Return one document; Helm cuts empty lines at its end off, which may belong to a text."""
    text = to_text([obj], origins)
    return f"{text}# The empty lines belong to the text.\n" if text.endswith("\n\n") else text


def _free_prefix(renderings: Mapping[str, Sequence[Obj]]) -> str:
    text, prefix = json.dumps(list(renderings.values())), "LEEWARD"
    while prefix in text:
        prefix += "X"
    return prefix
