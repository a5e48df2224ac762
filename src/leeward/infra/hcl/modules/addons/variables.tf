variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
}

variable "cluster_arn" {
  description = "ARN of the cluster."
  type        = string
}

variable "region" {
  description = "Region of the cluster."
  type        = string
}

variable "addons" {
  description = "EKS add-on => version; null: EKS's default for the version of Kubernetes."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent"], keys(var.addons))) == 0
    error_message = "A cluster needs vpc-cni, kube-proxy, coredns and eks-pod-identity-agent."
  }
}

variable "zone_count" {
  description = "How many zones have nodes; DNS gets a replica in each."
  type        = number
}

variable "autoscaler" {
  description = "cluster-autoscaler or none: whether it gets a role."
  type        = string

  validation {
    condition     = contains(["cluster-autoscaler", "none"], var.autoscaler)
    error_message = "autoscaler is cluster-autoscaler or none."
  }
}

variable "workload_logs" {
  description = "Whether the output of Pods is sent to CloudWatch Logs."
  type        = bool
}

variable "retention_days" {
  description = "How long it is kept."
  type        = number
  default     = 365
}

variable "key_arns" {
  description = "Purpose => KMS key: disks, logs. What has none is encrypted with AWS's own."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags of the volumes of claims."
  type        = map(string)
  default     = {}
}

variable "nodes" {
  description = "Ids of node groups: DNS and others are up only when there are nodes to run them."
  type        = list(string)
}
