"""Rows of the top level, and of networks, volumes, configs, secrets and models.

Source: the Compose Specification, "version and name", "include", "networks", "volumes", "configs", "secrets", "models".
"""

from __future__ import annotations

from leeward.render.support.levels import Section

TOP = Section(
    "Top level",
    "",
    """
    version  | exact        | nothing, as in Compose itself
    name     | exact        | Namespace; label app.kubernetes.io/part-of
    include  | exact        | merged before anything is rendered
    include.*.path | exact  | merged before anything is rendered
    include.*.env_file | exact | values that variables are substituted with
    include.*.project_directory | exact | where relative paths of the included file start
    services | exact        | one Deployment, StatefulSet, DaemonSet, Job or CronJob each
    networks | exact        | one NetworkPolicy each
    volumes  | exact        | one PersistentVolumeClaim, or a claim template, each
    configs  | exact        | one immutable ConfigMap each, named after its content
    secrets  | exact        | one immutable Secret each, named after its content
    models   | harmless     | | Models are not run here; the services that use one say so. | Run the model elsewhere and write its address into environment.
    jobs     | refused      | | Jobs of Docker Engine are experimental and are not read. | Make it a service with x-leeward: {schedule: …}, or one that ends by itself.
    jobs.*.** | "
    x-*      | exact        | x-leeward holds what Compose has no word for; others are yours
    """,
)

NETWORKS = Section(
    "Networks",
    "networks.*",
    """
    name         | harmless     | | A policy is named after the key; nobody sees the platform's name.
    driver       | harmless     | | Networks of a cluster have one driver.
    driver = bridge  | exact    | NetworkPolicy
    driver = overlay | exact    | NetworkPolicy
    driver = default | exact    | NetworkPolicy
    driver_opts  | harmless     | | Networks of a cluster have one driver.
    ipam         | harmless     | | The cluster gives the addresses. | Use service names instead of addresses.
    ipam.driver  | "
    ipam.config  | "
    ipam.config.*.subnet        | "
    ipam.config.*.ip_range      | "
    ipam.config.*.gateway       | "
    ipam.config.*.aux_addresses | "
    ipam.options | "
    external = false | exact    | NetworkPolicy
    external     | approximated | nothing more than any other network | Services of other projects are not let in. | Write a NetworkPolicy that lets them in.
    external.name | harmless    | | It is the old form of name.
    internal     | exact        | NetworkPolicy without egress to the outside
    enable_ipv4  | harmless     | | The cluster decides which addresses Pods have.
    enable_ipv6  | harmless     | | The cluster decides which addresses Pods have.
    attachable   | harmless     | | Nothing outside the project joins a network by hand.
    labels       | harmless     | | Policies have the project's labels.
    """,
)

VOLUMES = Section(
    "Volumes",
    "volumes.*",
    """
    name | exact | name of the existing claim when external; what is made here is named after the key
    driver        | harmless     | | The storage class decides where data lives. | Write x-leeward: {class: NAME}.
    driver = local | exact       | PersistentVolumeClaim
    driver_opts   | ignored      | | The storage class decides where data lives. | Write x-leeward: {class: NAME}.
    external      | exact        | claimName of a claim that is there already
    external.name | exact        | the old form of name
    labels        | harmless     | | Claims have the project's labels.
    """,
)

CONFIGS = Section(
    "Configs",
    "configs.*",
    """
    name | exact | name of the existing ConfigMap when external; what is made here is named after the key
    content         | exact   | ConfigMap.data
    environment     | exact   | ConfigMap.data
    file            | exact   | ConfigMap.data, or binaryData
    external        | exact   | a ConfigMap that is there already
    external.name   | exact   | the old form of name
    labels          | harmless | | ConfigMaps have the project's labels.
    template_driver | ignored | | Templates are not filled in. | Write the finished file.
    """,
)

SECRETS = Section(
    "Secrets",
    "secrets.*",
    """
    name | exact | name of the existing Secret when external; what is made here is named after the key
    environment     | exact   | Secret.data
    file            | exact   | Secret.data
    external        | exact   | a Secret that is there already
    external.name   | exact   | the old form of name
    labels          | harmless | | Secrets have the project's labels.
    driver          | ignored | | Secrets come from files, variables or the cluster. | Make the Secret on the cluster and write external: true.
    driver_opts     | ignored | | Secrets come from files, variables or the cluster. | Make the Secret on the cluster and write external: true.
    template_driver | ignored | | Templates are not filled in. | Write the finished file.
    """,
)

MODELS = Section(
    "Models",
    "models.*",
    """
    name          | harmless | | Models are not run here.
    model         | harmless | | Models are not run here.
    context_size  | harmless | | Models are not run here.
    runtime_flags | harmless | | Models are not run here.
    """,
)

SECTIONS = (TOP, NETWORKS, VOLUMES, CONFIGS, SECRETS, MODELS)
