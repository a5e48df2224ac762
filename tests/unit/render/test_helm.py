"""Charts, as far as no helm is needed; tests/corpus compares them with what helm makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml

from leeward.render.writers.helm import helm

Render = Callable[..., Any]
TEXT = """
    services:
      web: {image: "x:1", ports: ["80:80"], environment: {A: "{{ .Values }}", B-C: "1"}, volumes: ["data:/d"]}
      one:
        image: "localhost:5000/y@sha256:12"
        x-leeward: {autoscale: {min: 2, max: 5, cpu: 60}}
    volumes: {data: }
"""


def chart(render_text: Render, text: str = TEXT, *environments: str) -> dict[str, str]:
    names = environments or ("production",)
    return helm("shop", {name: render_text(text, environment=name).objects for name in names})


def values_of(files: dict[str, str]) -> Any:
    return yaml.safe_load(files["values.yaml"])


def test_values_are_what_people_set_per_release(render_text: Render) -> None:
    values = values_of(chart(render_text))
    web, one = values["services"]["web"], values["services"]["one"]
    assert web["env"] == {"A": "{{ .Values }}", "B-C": "1"}
    assert web["extraEnv"] == []
    assert web["image"] == {"repository": "x", "tag": "1", "digest": ""}
    assert one["image"] == {"repository": "localhost:5000/y", "tag": "", "digest": "sha256:12"}
    assert web["storage"] == {"data": {"size": "1Gi", "storageClassName": ""}}
    assert one["autoscale"] == {"minReplicas": 2, "maxReplicas": 5, "targets": {"cpu": 60}}
    assert "replicas" not in one
    assert "environment" not in values


def test_a_template_is_the_manifest_with_its_values_taken_out(render_text: Render) -> None:
    template = chart(render_text)["templates/web.yaml"]
    assert '(index .Values.services.web.env "B-C") | quote' in template
    assert "{{ .Values.services.web.replicas }}" in template
    assert 'image: {{ include "shop.image" .Values.services.web.image | quote }}' in template
    assert "resources: {{- toYaml .Values.services.web.resources | nindent 10 }}" in template
    assert "LEEWARD" not in template


def test_hosts_and_certificates_are_values(render_text: Render) -> None:
    text = """
        services:
          web:
            image: x
            ports: ["80:80"]
            x-leeward: {hosts: [a.example.com, b.example.com], tls: {secret: cert}, ingressClass: nginx}
    """
    files = chart(render_text, text)
    web = values_of(files)["services"]["web"]
    assert web["hosts"] == ["a.example.com", "b.example.com"]
    assert web["tls"] == {"secretName": "cert"}
    assert web["ingressClassName"] == "nginx"
    assert files["templates/web.yaml"].count("{{- range .Values.services.web.hosts }}") == 1


def test_text_that_looks_like_a_template_or_a_mark_is_kept(render_text: Render) -> None:
    text = (
        "services: {a: {image: x, configs: [c]}}\nconfigs: {c: {content: '{{ x }} y}} LEEWARD-VALUE-0-'}}\n"
    )
    template = chart(render_text, text, "local")["templates/01-shared.yaml"]
    assert '{{ "{{" }} x {{ "}}" }}' in template
    assert "LEEWARD-VALUE-0-" in template


def test_an_environment_says_what_it_has_otherwise(render_text: Render) -> None:
    texts = {"qa": TEXT, "production": TEXT.replace("x:1", "x:2").replace("B-C", "D")}
    files = helm("shop", {name: render_text(text, environment=name).objects for name, text in texts.items()})
    assert values_of(files)["environment"] == "qa"
    assert yaml.safe_load(files["values-qa.yaml"]) == {}
    changes = yaml.safe_load(files["values-production.yaml"])
    assert changes["environment"] == "production"
    assert changes["services"]["web"] == {"image": {"tag": "2"}, "env": {"B-C": None, "D": "1"}}
    template = files["templates/web.yaml"]
    assert '{{- if eq .Values.environment "qa" }}\n        - name: B-C\n' in template
    assert "{{- else }}\n        - name: D\n" in template


def test_a_schema_knows_the_values_of_every_environment_and_no_others(render_text: Render) -> None:
    files = chart(render_text, TEXT, "qa", "production")
    schema = json.loads(files["values.schema.json"])
    assert schema["properties"]["environment"] == {"enum": ["qa", "production"]}
    web = schema["properties"]["services"]["properties"]["web"]
    assert web["additionalProperties"] is False
    assert web["properties"]["replicas"] == {"type": "integer"}
    assert web["properties"]["resources"] == {"type": "object"}
