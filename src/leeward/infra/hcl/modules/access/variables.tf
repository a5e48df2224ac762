variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
}

variable "access" {
  description = "Kubernetes group => IAM roles whose sessions are in it, and what it may do in the whole cluster: none, view or admin."
  type = map(object({
    roles   = set(string)
    cluster = string
  }))

  validation {
    condition     = alltrue([for group in var.access : contains(["none", "view", "admin"], group.cluster)])
    error_message = "cluster is none, view or admin."
  }

  validation {
    condition     = length(distinct(flatten([for group in var.access : tolist(group.roles)]))) == sum(concat([0], [for group in var.access : length(group.roles)]))
    error_message = "A role is in one group only: EKS has one access entry a role."
  }
}
