"""Rows of a service: what runs, as whom, with how much; its image and its life.

Source: the Compose Specification, "services".
"""

from __future__ import annotations

from leeward.render.support.levels import Section

IMAGE = Section(
    "Services: image and program",
    "services.*",
    """
    image       | exact | containers[].image
    build       | exact | containers[].image of the built image
    platform    | exact | nodeSelector kubernetes.io/arch
    pull_policy | approximated | imagePullPolicy: IfNotPresent | Kubernetes pulls always, never or when the image is missing. | Use a tag or digest for each release.
    pull_policy = always         | exact | imagePullPolicy: Always
    pull_policy = never          | exact | imagePullPolicy: Never
    pull_policy = missing        | exact | imagePullPolicy: IfNotPresent
    pull_policy = if_not_present | exact | imagePullPolicy: IfNotPresent
    pull_policy = build          | exact | imagePullPolicy: IfNotPresent
    pull_refresh_after | harmless | | Images are pulled by the rule of imagePullPolicy. | Use a tag or digest for each release.
    runtime     | exact | runtimeClassName
    command     | exact | containers[].args
    entrypoint  | exact | containers[].command
    working_dir | exact | containers[].workingDir
    environment | exact | containers[].env; a Secret for what looks secret
    env_file    | exact | containers[].env, under environment
    env_file.*.path     | exact | containers[].env
    env_file.*.format   | exact | how the file is read
    env_file.*.required | exact | whether the file may be missing
    tty         | exact | containers[].tty
    stdin_open  | exact | containers[].stdin
    init        | harmless | | No other first process is put in. | Put tini into the image if it leaves zombies.
    init = false | exact | nothing
    attach      | harmless | | It says what the terminal of docker compose shows.
    annotations | exact | Pod annotations
    labels      | exact | Pod labels; annotations where the value cannot be a label
    label_file  | exact | Pod labels, under labels
    logging     | harmless | | A cluster keeps every container's output itself. | Set up log shipping on the cluster.
    logging.driver  | "
    logging.options | "
    profiles    | exact | the service is rendered when a profile of it is active
    extends     | exact | merged before anything is rendered
    extends.service | exact | merged before anything is rendered
    extends.file    | exact | merged before anything is rendered
    develop     | harmless | | It is for development on one machine and never part of a release.
    develop.watch | "
    develop.watch.*.ignore  | "
    develop.watch.*.include | "
    develop.watch.*.path    | "
    develop.watch.*.action  | "
    develop.watch.*.target  | "
    develop.watch.*.initial_sync | "
    develop.watch.*.exec    | "
    develop.watch.*.exec.command     | "
    develop.watch.*.exec.user        | "
    develop.watch.*.exec.privileged  | "
    develop.watch.*.exec.working_dir | "
    develop.watch.*.exec.environment | "
    models      | refused | | Models are not run here. | Run the model elsewhere and write its address into environment.
    models.*.endpoint_var | "
    models.*.model_var    | "
    provider    | refused | | A service that another program provides cannot be started on the cluster. | Run an image, or write x-leeward: {external: {host: …}}.
    provider.type    | "
    provider.options | "
    """,
)

LIFE = Section(
    "Services: start, health and end",
    "services.*",
    """
    restart | exact | Deployment, StatefulSet or DaemonSet, which always restart
    restart = no          | exact | Job when nothing needs the service to go on running, else as always
    restart = on-failure* | exact | Job with backoffLimit when nothing needs the service to go on running, else as always
    depends_on | exact | order of applying; on real clusters an init container that waits a while
    depends_on.*.condition | exact | what is waited for
    depends_on.*.required  | exact | whether the other service may be left out
    depends_on.*.restart = false | exact | nothing
    depends_on.*.restart   | approximated | digest of the dependency's Pod template | A new release of the dependency restarts the service, a crash does not.
    healthcheck | exact | readinessProbe and startupProbe; livenessProbe only by x-leeward
    healthcheck.disable        | exact | no probe
    healthcheck.test           | exact | exec of the probes
    healthcheck.interval       | exact | periodSeconds
    healthcheck.timeout        | exact | timeoutSeconds
    healthcheck.retries        | exact | failureThreshold
    healthcheck.start_period   | exact | patience of the startupProbe
    healthcheck.start_interval | exact | periodSeconds of the startupProbe
    pre_start  | exact | a Job before the roll-out; an init container with per_replica
    pre_start.*.image       | exact   | image of the init container or Job
    pre_start.*.command     | exact   | its args
    pre_start.*.user        | exact   | its securityContext.runAsUser
    pre_start.*.privileged = false | exact | nothing
    pre_start.*.privileged  | refused | its securityContext.privileged, with a waiver | It gives the step the whole node. | Do without it.
    pre_start.*.working_dir | exact   | its workingDir
    pre_start.*.environment | exact   | its env
    pre_start.*.per_replica | exact   | init container instead of Job
    pre_start.*.**          | refused | | A hook takes this from its service and cannot change it. | Make the task a service that this one depends on.
    post_start | exact | lifecycle.postStart.exec; the container is killed when it fails
    post_start.*.command     | exact   | lifecycle.postStart.exec.command
    post_start.*.working_dir | exact   | cd before the command
    post_start.*.environment | exact   | env before the command
    post_start.*.user        | ignored | | A hook runs as the container's own user. | Remove it, or let the container's user do it.
    post_start.*.privileged  | ignored | | A hook has the container's own privileges. | Remove it.
    pre_stop   | exact | lifecycle.preStop.exec; it counts against the grace period
    pre_stop.*.command     | exact   | lifecycle.preStop.exec.command
    pre_stop.*.working_dir | exact   | cd before the command
    pre_stop.*.environment | exact   | env before the command
    pre_stop.*.user        | ignored | | A hook runs as the container's own user. | Remove it, or let the container's user do it.
    pre_stop.*.privileged  | ignored | | A hook has the container's own privileges. | Remove it.
    stop_grace_period | exact | terminationGracePeriodSeconds, with the time to drain added
    stop_signal       | exact | lifecycle.stopSignal
    scale             | exact | spec.replicas
    """,
)

SECURITY = Section(
    "Services: users and rights",
    "services.*",
    """
    user         | exact | securityContext.runAsUser and runAsGroup
    group_add    | exact | securityContext.supplementalGroups of the Pod
    umask        | ignored | | Kubernetes has no umask. | Set it in the image's entry point.
    privileged = false | exact | nothing
    privileged   | refused | securityContext.privileged, with a waiver | It gives the container the whole node. | Name what it needs in cap_add.
    read_only    | exact | securityContext.readOnlyRootFilesystem
    cap_add      | exact | securityContext.capabilities.add; what Pod Security baseline forbids needs a waiver
    cap_drop     | exact | securityContext.capabilities.drop
    security_opt | exact | allowPrivilegeEscalation, seccompProfile, appArmorProfile, seLinuxOptions; what Pod Security baseline forbids needs a waiver
    sysctls      | exact | securityContext.sysctls of the Pod; what Pod Security baseline forbids needs a waiver
    pid          | exact | nothing: a container has its own processes
    pid = host        | refused | hostPID, with a waiver | It gives the container every process of the node. | Do without it.
    pid = service:*   | approximated | shareProcessNamespace in a shared Pod | Both services live and die together. | Let the services talk over the network.
    pid = container:* | ignored | | The container is not part of the project. | Let the services talk over the network.
    ipc          | exact | nothing: a Pod has its own shared memory
    ipc = host        | refused | hostIPC, with a waiver | It gives the container the shared memory of the node. | Do without it.
    ipc = service:*   | approximated | a shared Pod | Both services live and die together. | Let the services talk over the network.
    ipc = container:* | ignored | | The container is not part of the project. | Let the services talk over the network.
    uts          | ignored | | A Pod always has a host name of its own. | Remove it.
    userns_mode  | ignored | | Users of containers are mapped by the cluster. | Remove it.
    userns_mode = host | exact | the cluster's own way
    cgroup       | ignored | | Control groups are the cluster's business. | Remove it.
    cgroup = private | exact | the cluster's own way
    cgroup_parent | ignored | | Control groups are the cluster's business. | Remove it.
    isolation    | ignored | | Kubernetes has no such choice; a runtime can be chosen. | Write runtime.
    isolation = default | exact | nothing
    credential_spec | refused | | Windows credentials are not supported. | Remove it.
    credential_spec.config   | "
    credential_spec.file     | "
    credential_spec.registry | "
    use_api_socket = false | exact | nothing
    use_api_socket | refused | | It hands the container engine to the service, and a cluster has none. | Use the Kubernetes API.
    """,
)

RESOURCES = Section(
    "Services: resources of the container",
    "services.*",
    """
    cpus            | exact | resources.limits.cpu
    cpu_quota       | exact | resources.limits.cpu, divided by cpu_period
    cpu_period      | exact | resources.limits.cpu, with cpu_quota
    cpu_shares      | ignored | | Kubernetes derives shares from the request. | Write deploy.resources.reservations.cpus.
    cpu_count       | ignored | | Kubernetes counts in shares of a core. | Write cpus.
    cpu_percent     | ignored | | Kubernetes counts in shares of a core. | Write cpus.
    cpu_rt_period   | ignored | | Kubernetes has no real-time scheduling. | Remove it.
    cpu_rt_runtime  | ignored | | Kubernetes has no real-time scheduling. | Remove it.
    cpuset          | ignored | | The cluster chooses the cores. | Use the kubelet's static CPU manager policy.
    mem_limit       | exact | resources.limits.memory
    mem_reservation | exact | resources.requests.memory
    mem_swappiness  | harmless | | Containers of a cluster do not swap unless its nodes are set up for it.
    memswap_limit   | harmless | | Containers of a cluster do not swap unless its nodes are set up for it.
    oom_kill_disable | ignored | | A container that exceeds its memory is always killed. | Raise mem_limit.
    oom_kill_disable = false | exact | nothing
    oom_score_adj   | ignored | | Kubernetes derives it from requests and limits. | Let the request equal the limit for what must not be killed.
    pids_limit      | ignored | | The number of processes is limited for all Pods of a node alike. | Set podPidsLimit of the kubelet.
    shm_size        | exact | emptyDir of medium Memory at /dev/shm
    storage_opt     | approximated | resources.limits.ephemeral-storage | Only size has a counterpart.
    ulimits         | ignored | | Kubernetes has no such limit for a Pod. | Set it on the nodes where it matters.
    ulimits.*.soft  | "
    ulimits.*.hard  | "
    blkio_config    | ignored | | Kubernetes limits no disk traffic. | Choose a storage class or node type with the throughput that is needed.
    blkio_config.device_read_bps   | "
    blkio_config.device_read_bps.*.path   | "
    blkio_config.device_read_bps.*.rate   | "
    blkio_config.device_read_iops  | "
    blkio_config.device_read_iops.*.path  | "
    blkio_config.device_read_iops.*.rate  | "
    blkio_config.device_write_bps  | "
    blkio_config.device_write_bps.*.path  | "
    blkio_config.device_write_bps.*.rate  | "
    blkio_config.device_write_iops | "
    blkio_config.device_write_iops.*.path | "
    blkio_config.device_write_iops.*.rate | "
    blkio_config.weight | "
    blkio_config.weight_device     | "
    blkio_config.weight_device.*.path     | "
    blkio_config.weight_device.*.weight   | "
    devices         | refused | | Without a device plug-in no Pod may open a device of its node. | Install the device's plug-in and ask for its resource, or let somebody accept it in leeward.waivers.yaml.
    devices.*.source      | "
    devices.*.target      | "
    devices.*.permissions | "
    device_cgroup_rules   | refused | | Without a device plug-in no Pod may open a device of its node. | Install the device's plug-in and ask for its resource, or let somebody accept it in leeward.waivers.yaml.
    gpus              | exact | resources.limits nvidia.com/gpu
    gpus.*.capabilities | exact | nothing: a GPU has them all
    gpus.*.count      | exact | the number of GPUs
    gpus.*.count = -1 | approximated | one GPU | All GPUs of a node cannot be asked for. | Write a number.
    gpus.*.device_ids | approximated | as many GPUs | A cluster chooses which. | Write count.
    gpus.*.driver = nvidia | exact | nothing: nvidia.com/gpu is asked for
    gpus.*.driver | ignored | | Only nvidia.com/gpu is asked for. | Write driver: nvidia.
    gpus.*.options    | ignored | | A device plug-in takes no options from a Pod. | Set them on the nodes.
    """,
)

SECTIONS = (IMAGE, LIFE, SECURITY, RESOURCES)
