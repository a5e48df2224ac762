"""What stands behind a Service port."""

from typing import Any

from leeward.cluster.network.endpoints import view_service
from leeward.kube.objects import Obj


def service(**spec: Any) -> Obj:
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    return {
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {"clusterIP": "10.0.0.5", "ports": ports, **spec},
    }


def endpoint_slice(*endpoints: Obj) -> Obj:
    return {
        "metadata": {"namespace": "shop", "name": "web-1"},
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }


def endpoint(ip: str, node: str = "n1", **conditions: bool) -> Obj:
    return {"addresses": [ip], "nodeName": node, "conditions": {"ready": True, **conditions}}


def test_only_ready_endpoints_receive_traffic() -> None:
    view = view_service(service(), [endpoint_slice(endpoint("10.0.1.1"), endpoint("10.0.1.2", ready=False))])
    assert [found.ip for found in view.ports[0].endpoints] == ["10.0.1.1"]
    assert [found.port for found in view.ports[0].endpoints] == [8080]


def test_terminating_endpoints_that_still_serve_are_used_when_none_is_ready() -> None:
    leaving = endpoint("10.0.1.2", ready=False, serving=True, terminating=True)
    view = view_service(service(), [endpoint_slice(leaving)])
    assert [found.ip for found in view.ports[0].endpoints] == ["10.0.1.2"]


def test_a_headless_service_has_backends_but_no_address() -> None:
    view = view_service(service(clusterIP="None"), [endpoint_slice(endpoint("10.0.1.1"))])
    assert view.cluster_ip == ""
    assert [backend.ip for backend in view.backends] == ["10.0.1.1"]


def test_published_unready_addresses_that_are_leaving_get_traffic_only_when_there_is_no_other() -> None:
    leaving = endpoint("10.0.1.1", serving=True, terminating=True)
    staying = endpoint("10.0.1.2", serving=False)
    both = view_service(service(publishNotReadyAddresses=True), [endpoint_slice(leaving, staying)])
    last = view_service(service(publishNotReadyAddresses=True), [endpoint_slice(leaving)])
    assert [found.ip for found in both.ports[0].endpoints] == ["10.0.1.2"]
    assert [found.ip for found in last.ports[0].endpoints] == ["10.0.1.1"]
