variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
}

variable "region" {
  description = "Region of the cluster."
  type        = string
}

variable "kubernetes_version" {
  description = "Version of the nodes, that of the control plane."
  type        = string
}

variable "private_subnet_ids" {
  description = "Zone => private subnet."
  type        = map(string)
}

variable "node_groups" {
  description = "Group => its nodes. Sizes count in each zone, unless per_zone is false."
  type = map(object({
    instance_types = list(string)
    min            = number
    desired        = number
    max            = number
    capacity_type  = string
    per_zone       = bool
    zones          = set(string)
    disk_gib       = number
    ami_type       = string
    ami_release    = optional(string)
    labels         = optional(map(string), {})
    taints = optional(list(object({
      key    = string
      value  = string
      effect = string
    })), [])
  }))

  validation {
    condition     = alltrue([for group in var.node_groups : 0 <= group.min && group.min <= group.desired && group.desired <= group.max && group.max >= 1])
    error_message = "In every group min <= desired <= max, and max is at least 1."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : contains(["ON_DEMAND", "SPOT"], group.capacity_type)])
    error_message = "capacity_type is ON_DEMAND or SPOT."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : length(setsubtract(group.zones, keys(var.private_subnet_ids))) == 0])
    error_message = "A group is in a zone without a private subnet."
  }

  validation {
    condition     = alltrue(flatten([for group in var.node_groups : [for taint in group.taints : contains(["NoSchedule", "PreferNoSchedule", "NoExecute"], taint.effect)]]))
    error_message = "Effects of taints are NoSchedule, PreferNoSchedule and NoExecute."
  }
}

variable "key_arns" {
  description = "Purpose => KMS key; disks. Without one, the account's key for EBS."
  type        = map(string)
  default     = {}
}

variable "autoscaler" {
  description = "cluster-autoscaler or none: whether Auto Scaling groups say what a node of theirs would be."
  type        = string
  default     = "cluster-autoscaler"
}

variable "tags" {
  description = "Tags of instances, volumes and interfaces, which the provider's default tags do not reach."
  type        = map(string)
  default     = {}
}

variable "needs" {
  description = "Ids of what must be there before a node starts: ways out, and the add-ons that make it Ready."
  type        = list(string)
  default     = []
}
