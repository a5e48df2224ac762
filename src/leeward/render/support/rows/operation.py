"""Rows of a service: how its image is built and how it is deployed.

Source: the Compose Specification, "build" and "deploy".
"""

from __future__ import annotations

from leeward.render.support.levels import Section

BUILD = Section(
    "Services: build",
    "services.*.build",
    """
    context           | exact | the files of the image
    dockerfile        | exact | the steps of the image
    dockerfile_inline | exact | the steps of the image
    target            | exact | the stage that is built
    args              | exact | values of ARG
    labels            | harmless | | They are of the image; a manifest only names it. | Let your CI build the image with them.
    additional_contexts | harmless | | leeward builds one context. | Let your CI build the image.
    cache_from        | harmless | | It makes a build faster and changes nothing about its result.
    cache_to          | harmless | | It makes a build faster and changes nothing about its result.
    no_cache          | harmless | | leeward builds without a cache.
    no_cache_filter   | harmless | | leeward builds without a cache.
    pull              | harmless | | leeward builds on this machine's own programs. | Let your CI build the image.
    network           | harmless | | RUN steps are not executed. | Let your CI build the image.
    privileged        | harmless | | RUN steps are not executed. | Let your CI build the image.
    entitlements      | harmless | | RUN steps are not executed. | Let your CI build the image.
    isolation         | harmless | | RUN steps are not executed. | Let your CI build the image.
    shm_size          | harmless | | RUN steps are not executed. | Let your CI build the image.
    ssh               | harmless | | RUN steps are not executed. | Let your CI build the image.
    extra_hosts       | harmless | | RUN steps are not executed. | Let your CI build the image.
    ulimits           | harmless | | RUN steps are not executed. | Let your CI build the image.
    ulimits.*.soft    | "
    ulimits.*.hard    | "
    secrets           | harmless | | RUN steps are not executed. | Let your CI build the image.
    secrets.*.source  | "
    secrets.*.target  | "
    secrets.*.uid     | "
    secrets.*.gid     | "
    secrets.*.mode    | "
    platforms         | harmless | | leeward builds for this machine. | Let your CI build the image for the nodes' architectures.
    tags              | harmless | | The image has one name in the manifests. | Let your CI push the other names.
    provenance        | harmless | | leeward attests nothing. | Let your CI attest the image.
    sbom              | harmless | | leeward attests nothing. | Let your CI attest the image.
    """,
)

DEPLOY = Section(
    "Services: deploy",
    "services.*",
    """
    deploy          | exact | workload
    deploy.mode     | exact | Deployment or StatefulSet, DaemonSet, Job
    deploy.mode = global-job | approximated | Job | A Job cannot be told to run once on every node. | Use mode: global, or write the number of nodes as replicas.
    deploy.replicas | exact | spec.replicas
    deploy.endpoint_mode | exact | ClusterIP or headless Service
    deploy.labels   | exact | Pod labels; annotations where the value cannot be a label
    deploy.update_config | exact | strategy
    deploy.update_config.parallelism | exact | maxSurge or maxUnavailable
    deploy.update_config.order       | exact | maxSurge (start-first) or maxUnavailable (stop-first)
    deploy.update_config.delay       | exact | minReadySeconds
    deploy.update_config.failure_action    | approximated | nothing: a roll-out that fails stops | A failed roll-out stops by itself; the cluster neither undoes it nor goes on with it.
    deploy.update_config.failure_action = pause | exact | nothing: a roll-out that fails stops
    deploy.update_config.monitor           | exact | progressDeadlineSeconds of a Deployment
    deploy.update_config.max_failure_ratio | harmless | | A failed roll-out stops by itself and is not undone by the cluster.
    deploy.rollback_config | harmless | | A release is rolled back like any other roll-out.
    deploy.rollback_config.parallelism       | "
    deploy.rollback_config.delay             | "
    deploy.rollback_config.failure_action    | "
    deploy.rollback_config.monitor           | "
    deploy.rollback_config.max_failure_ratio | "
    deploy.rollback_config.order             | "
    deploy.resources | exact | containers[].resources
    deploy.resources.limits | exact | resources.limits
    deploy.resources.limits.cpus   | exact | resources.limits.cpu
    deploy.resources.limits.memory | exact | resources.limits.memory
    deploy.resources.limits.pids   | ignored | | The number of processes is limited for all Pods of a node alike. | Set podPidsLimit of the kubelet.
    deploy.resources.reservations | exact | resources.requests
    deploy.resources.reservations.cpus   | exact | resources.requests.cpu
    deploy.resources.reservations.memory | exact | resources.requests.memory
    deploy.resources.reservations.generic_resources | ignored | | Only GPUs can be reserved. | Write devices.
    deploy.resources.reservations.generic_resources.*.discrete_resource_spec | "
    deploy.resources.reservations.generic_resources.*.discrete_resource_spec.kind  | "
    deploy.resources.reservations.generic_resources.*.discrete_resource_spec.value | "
    deploy.resources.reservations.devices | exact | resources.limits nvidia.com/gpu
    deploy.resources.reservations.devices.*.capabilities | exact | nothing: a GPU has them all
    deploy.resources.reservations.devices.*.count      | exact | the number of GPUs
    deploy.resources.reservations.devices.*.count = -1 | approximated | one GPU | All GPUs of a node cannot be asked for. | Write a number.
    deploy.resources.reservations.devices.*.device_ids | approximated | as many GPUs | A cluster chooses which. | Write count.
    deploy.resources.reservations.devices.*.driver = nvidia | exact | nothing: nvidia.com/gpu is asked for
    deploy.resources.reservations.devices.*.driver | ignored | | Only nvidia.com/gpu is asked for. | Write driver: nvidia.
    deploy.resources.reservations.devices.*.options    | ignored | | A device plug-in takes no options from a Pod. | Set them on the nodes.
    deploy.restart_policy | exact | as restart, which it overrides
    deploy.restart_policy.condition    | exact | Deployment or Job
    deploy.restart_policy.max_attempts | exact | backoffLimit of a Job
    deploy.restart_policy.delay        | harmless | | Kubernetes waits longer after each failure, by its own rules.
    deploy.restart_policy.window       | harmless | | Kubernetes waits longer after each failure, by its own rules.
    deploy.placement | exact | affinity and topologySpreadConstraints
    deploy.placement.constraints | exact | nodeAffinity
    deploy.placement.preferences | exact | topologySpreadConstraints
    deploy.placement.preferences.*.spread  | exact | topologyKey
    deploy.placement.max_replicas_per_node | exact | podAntiAffinity for 1; spread over nodes for more
    """,
)

SECTIONS = (BUILD, DEPLOY)
