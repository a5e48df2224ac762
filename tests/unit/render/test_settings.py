"""What ``x-leeward`` becomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.resources import resource_of_kind

Render = Callable[..., Any]
WEB = "services: {web: {image: x, ports: ['80:80'], x-leeward: %s}}"
EXTERNAL = (
    "services: {web: {image: x, depends_on: [db]}, db: {image: postgres, expose: ['5432'], x-leeward: %s}}"
)


def _valid(result: Any) -> None:
    for obj in result.objects:
        kubernetes_validate.validate(obj, kubernetes_validate.latest_version(), strict=True)


@pytest.fixture
def production(render_text: Render) -> Render:
    """Render for production, and check every object against the schemas of Kubernetes."""

    def make(text: str) -> Any:
        result = render_text(text, environment="production")
        _valid(result)
        return result

    return make


def test_hosts_share_a_path_and_a_class(production: Render) -> None:
    ingress = production(WEB % "{hosts: [a.example, b.example], path: /shop, ingressClass: nginx}").find(
        "Ingress", "web"
    )
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["a.example", "b.example"]
    assert {rule["http"]["paths"][0]["path"] for rule in ingress["spec"]["rules"]} == {"/shop"}


def test_a_host_that_two_files_name_is_one_rule(production: Render) -> None:
    result = production(
        "services: {a: {image: x, ports: ['80'], x-leeward: {hosts: [a.example, a.example]}}}"
    )
    (ingress,) = [obj for obj in result.objects if obj["kind"] == "Ingress"]
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["a.example"]


def test_hosts_without_a_port_are_an_error(render_text: Render) -> None:
    assert "no-port" in render_text("services: {a: {image: x, x-leeward: {hosts: [a]}}}").codes()


def test_tls_expects_a_secret_named_after_the_service_and_says_so(production: Render) -> None:
    result = production(WEB % "{hosts: [a.example], tls: true}")
    assert result.find("Ingress", "web")["spec"]["tls"] == [{"hosts": ["a.example"], "secretName": "web-tls"}]
    assert "certificate-expected" in result.codes()


def test_the_issuer_of_the_project_makes_the_secret(production: Render) -> None:
    result = production(WEB % "{hosts: [a.example], tls: true}" + "\nx-leeward: {tlsIssuer: letsencrypt}")
    annotations = result.find("Ingress", "web")["metadata"]["annotations"]
    assert annotations["cert-manager.io/cluster-issuer"] == "letsencrypt"
    assert "certificate-expected" not in result.codes()


def test_a_secret_that_is_named_is_left_to_its_owner(production: Render) -> None:
    result = production(WEB % "{hosts: [a.example], tls: mine}" + "\nx-leeward: {tlsIssuer: letsencrypt}")
    ingress = result.find("Ingress", "web")
    assert ingress["spec"]["tls"][0]["secretName"] == "mine"
    assert "cert-manager.io/cluster-issuer" not in ingress["metadata"]["annotations"]


def test_a_certificate_of_aws_is_held_by_its_load_balancer(production: Render) -> None:
    arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
    ingress = production(WEB % f"{{hosts: [a.example], tls: {{certificateArn: '{arn}'}}}}").find(
        "Ingress", "web"
    )
    assert ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/certificate-arn"] == arn
    assert ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/ssl-redirect"] == "443"
    assert ingress["spec"]["ingressClassName"] == "alb"
    assert "tls" not in ingress["spec"]


def test_annotations_of_ones_own_win(production: Render) -> None:
    arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
    own = "{alb.ingress.kubernetes.io/ssl-redirect: '8443'}"
    text = WEB % f"{{hosts: [a], tls: {{certificateArn: '{arn}'}}, ingressAnnotations: {own}}}"
    annotations = production(text).find("Ingress", "web")["metadata"]["annotations"]
    assert annotations["alb.ingress.kubernetes.io/ssl-redirect"] == "8443"


def test_the_embedded_cluster_serves_hosts_without_tls(render_text: Render) -> None:
    spec = render_text(WEB % "{hosts: [a.example], tls: true}").find("Ingress", "web")["spec"]
    assert [rule["host"] for rule in spec["rules"]] == ["a.example", "web.localhost"]
    assert (spec["ingressClassName"], "tls" in spec) == ("leeward", False)


def test_an_autoscaler_follows_cpu_when_nothing_else_is_said(production: Render) -> None:
    spec = production(WEB % "{autoscale: 5}").find("HorizontalPodAutoscaler", "web")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    target = {"type": "Utilization", "averageUtilization": 70}
    assert spec["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def test_the_embedded_cluster_runs_the_fewest_replicas_instead_of_scaling(render_text: Render) -> None:
    result = render_text(WEB % "{autoscale: {min: 3, max: 5}}")
    assert result.find("Deployment", "web")["spec"]["replicas"] == 3
    assert result.names("HorizontalPodAutoscaler") == []
    assert "not-scaled" in result.codes()


def test_an_autoscaler_takes_targets_metrics_and_behaviour(production: Render) -> None:
    spec = production("""
        services:
          web:
            image: x
            x-leeward:
              autoscale:
                min: 3
                max: 30
                memory: 80
                metrics:
                  - type: Pods
                    pods:
                      metric: {name: queue_length}
                      target: {type: AverageValue, averageValue: "30"}
                behavior:
                  scaleUp: {policies: [{type: Percent, value: 100, periodSeconds: 15}]}
                  scaleDown: {stabilizationWindowSeconds: 600, selectPolicy: Min}
    """).find("HorizontalPodAutoscaler", "web")["spec"]
    assert [metric["type"] for metric in spec["metrics"]] == ["Resource", "Pods"]
    assert spec["behavior"] == {
        "scaleUp": {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
        "scaleDown": {"stabilizationWindowSeconds": 600, "selectPolicy": "Min"},
    }


def test_what_runs_once_cannot_be_scaled(render_text: Render) -> None:
    result = render_text("services: {job: {image: x, restart: 'no', x-leeward: {autoscale: 3}}}")
    assert "not-scalable" in result.codes()
    assert result.names("HorizontalPodAutoscaler") == []


def test_a_service_account_carries_the_cloud_role(production: Render) -> None:
    arn = "arn:aws:iam::123456789012:role/shop"
    result = production(WEB % f"{{serviceAccount: {{roleArn: '{arn}'}}}}")
    account = result.find("ServiceAccount", "web")
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == arn
    pod = result.pod("Deployment", "web")
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("web", False)


def test_a_service_account_of_two_services_is_one_object(production: Render) -> None:
    text = "services: {a: {image: x, x-leeward: {serviceAccount: shop}}, b: {image: x, x-leeward: %s}}"
    assert production(text % "{serviceAccount: shop}").names("ServiceAccount") == ["shop"]
    other = "{serviceAccount: {name: shop, annotations: {a: b}}}"
    assert "name-collision" in production(text % other).codes()


def test_an_account_that_exists_is_used_and_not_made(production: Render) -> None:
    result = production(WEB % "{serviceAccount: {name: theirs, create: false, automountToken: true}}")
    pod = result.pod("Deployment", "web")
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("theirs", True)
    assert result.names("ServiceAccount") == []


@pytest.mark.parametrize(
    ("spread", "pulls"),
    [
        ("{}", {"zone": "DoNotSchedule", "hostname": "ScheduleAnyway"}),
        ("{spread: preferred}", {"zone": "ScheduleAnyway", "hostname": "ScheduleAnyway"}),
        ("{spread: {zones: none, nodes: required}}", {"hostname": "DoNotSchedule"}),
        ("{spread: none}", {}),
    ],
)
def test_a_spread_can_be_loosened_and_tightened(
    spread: str, pulls: dict[str, str], production: Render
) -> None:
    pod = production(f"services: {{web: {{image: x, scale: 3, x-leeward: {spread}}}}}").pod(
        "Deployment", "web"
    )
    found = {
        constraint["topologyKey"].rpartition("/")[2]: constraint["whenUnsatisfiable"]
        for constraint in pod.get("topologySpreadConstraints", [])
    }
    assert found == pulls


@pytest.mark.parametrize(
    ("disruption", "limit"),
    [
        ("25%", {"maxUnavailable": "25%"}),
        ("{minAvailable: 2}", {"minAvailable": 2}),
        ("false", None),
    ],
)
def test_a_budget_can_be_changed_or_left_out(
    disruption: str, limit: dict[str, Any] | None, production: Render
) -> None:
    result = production(f"services: {{web: {{image: x, scale: 3, x-leeward: {{disruption: {disruption}}}}}}}")
    if limit is None:
        assert result.names("PodDisruptionBudget") == []
    else:
        spec = result.find("PodDisruptionBudget", "web")["spec"]
        assert {key: spec[key] for key in limit} == limit
        assert len({"maxUnavailable", "minAvailable"} & spec.keys()) == 1


def test_a_size_is_what_the_file_does_not_say_itself(production: Render) -> None:
    sized = "services: {web: {image: x, %s x-leeward: {size: medium}}}"
    plain = production(sized % "").container("Deployment", "web")["resources"]
    assert plain == {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    own = production(sized % "mem_limit: 2g, cpus: 0.25,").container("Deployment", "web")["resources"]
    assert own == {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"cpu": "250m", "memory": "2Gi"}}


def test_a_size_of_the_project_replaces_ours(production: Render) -> None:
    text = "services: {web: {image: x, x-leeward: {size: small}}}\nx-leeward: {sizes: {small: %s}}"
    resources = production(text % "{cpu: 2, memory: 3Gi}").container("Deployment", "web")["resources"]
    assert resources["requests"] == {"cpu": "2", "memory": "3Gi"}


def test_nodes_priority_and_registry_secrets_are_the_pods(production: Render) -> None:
    result = production("""
        services:
          web:
            image: x
            platform: linux/arm64
            x-leeward: {nodeSelector: {pool: big}, priorityClass: urgent}
        x-leeward: {imagePullSecrets: [quay]}
    """)
    pod = result.pod("Deployment", "web")
    assert pod["nodeSelector"] == {"pool": "big", "kubernetes.io/arch": "arm64"}
    assert (pod["priorityClassName"], pod["imagePullSecrets"]) == ("urgent", [{"name": "quay"}])


def test_the_embedded_cluster_is_not_asked_for_what_it_has_not(render_text: Render) -> None:
    text = WEB % "{nodeSelector: {pool: big}, priorityClass: urgent, serviceAccount: {create: false}}"
    result = render_text(text)
    assert {"nodeSelector", "priorityClassName"}.isdisjoint(result.pod("Deployment", "web"))
    assert result.names("ServiceAccount") == ["web"]


def test_an_image_that_is_built_comes_from_the_registry(render_text: Render) -> None:
    text = "services: {web: {build: .}}\nx-leeward: {registry: registry.example/shop}"
    away = render_text(text, environment="production").container("Deployment", "web")["image"]
    assert away == "registry.example/shop/web:latest"
    assert render_text(text).container("Deployment", "web")["image"].startswith("leeward.local/")


def test_alerts_are_a_file_of_prometheus_rules(production: Render) -> None:
    result = production(
        WEB % "{alerts: [{name: Down, expr: 'up == 0', severity: critical, summary: It is down}]}"
    )
    rules = result.find("ConfigMap", "alerts-web")
    assert rules["metadata"]["labels"]["leeward.dev/alerts"] == "true"
    assert yaml.safe_load(rules["data"]["shop-web.rules.yaml"]) == {
        "groups": [
            {
                "name": "shop-production.web",
                "rules": [
                    {
                        "alert": "Down",
                        "expr": "up == 0",
                        "for": "5m",
                        "labels": {"severity": "critical", "namespace": "shop-production", "service": "web"},
                        "annotations": {"summary": "It is down"},
                    }
                ],
            }
        ]
    }


def test_alerts_are_prometheus_rules_only_where_a_project_asks(render_text: Render) -> None:
    text = WEB % "{alerts: [{name: Down, expr: 'up == 0'}]}" + "\nx-leeward: {alertRules: PrometheusRule}"
    away = render_text(text, environment="production").find("PrometheusRule", "alerts-web")
    assert away["spec"]["groups"][0]["rules"][0]["alert"] == "Down"
    assert render_text(text).names("PrometheusRule") == []


def test_a_service_that_somebody_else_runs_is_only_a_name(production: Render) -> None:
    result = production(EXTERNAL % "{external: Shop.rds.example}")
    assert result.names("Deployment") == ["web"]
    spec = result.find("Service", "db")["spec"]
    assert (spec["type"], spec["externalName"]) == ("ExternalName", "shop.rds.example")


def test_the_address_of_an_external_service_is_an_endpoint(production: Render) -> None:
    result = production(EXTERNAL % "{external: 10.0.0.5}")
    assert result.find("Service", "db")["spec"]["clusterIP"] == "None"
    slice_ = result.find("EndpointSlice", "db-external")
    assert slice_["endpoints"] == [{"addresses": ["10.0.0.5"], "conditions": {"ready": True}}]
    assert slice_["metadata"]["labels"]["kubernetes.io/service-name"] == "db"


def test_another_port_of_an_address_is_translated_and_of_a_name_is_told(production: Render) -> None:
    result = production(EXTERNAL % "{external: {host: 10.0.0.5, port: 6543}}")
    service, slice_ = result.find("Service", "db")["spec"], result.find("EndpointSlice", "db-external")
    assert (service["type"], service["ports"][0]["port"]) == ("ClusterIP", 5432)
    assert [(port["name"], port["port"]) for port in slice_["ports"]] == [("tcp-5432", 6543)]
    assert "not-translated" in production(EXTERNAL % "{external: {host: db.example, port: 6543}}").codes()


def test_volumes_of_an_external_service_are_not_made_and_its_aliases_are(production: Render) -> None:
    result = production("""
        services:
          db:
            image: postgres
            container_name: database
            volumes: ["data:/d"]
            x-leeward: {external: db.example}
        volumes: {data: }
    """)
    assert result.names("PersistentVolumeClaim") == []
    assert result.find("Service", "database")["spec"]["externalName"] == "db.example"


@pytest.mark.parametrize("environment", ["local", "production"])
def test_the_embedded_cluster_takes_every_object(environment: str, render_text: Render) -> None:
    result = render_text(
        """
        services:
          web:
            image: x
            ports: ["80:80"]
            x-leeward:
              hosts: [a.example]
              path: /shop
              tls: {secret: mine, issuer: letsencrypt}
              autoscale: {max: 5, memory: 80, behavior: {scaleDown: {stabilizationWindowSeconds: 60}}}
              serviceAccount: {roleArn: "arn:aws:iam::123456789012:role/a"}
              spread: {zones: preferred, nodes: required, maxSkew: 2}
              disruption: {minAvailable: 50%}
              alerts: [{name: Down, expr: up == 0}]
              size: large
          db: {image: x, expose: ["5432"], x-leeward: {external: {host: 10.0.0.5, port: 6543}}}
          mail: {image: x, x-leeward: {external: mail.example}}
        x-leeward: {imagePullSecrets: [quay], registry: registry.example/shop}
        """,
        environment=environment,
    )
    client = Registry(MemoryStore(), clock=VirtualClock(), ids=SeededIds(7)).client("system:admin")
    for obj in result.objects:
        resource = resource_of_kind(obj["apiVersion"], obj["kind"])
        assert resource is not None
        client.create(resource.name, obj)

    assert {"EndpointSlice", "ServiceAccount", "Ingress"} <= {obj["kind"] for obj in result.objects}
