# Values come from cluster.auto.tfvars.json, which leeward writes from cluster.yaml: change that one.

variable "name" {
  description = "Name of the cluster in EKS. Fixed for life."
  type        = string
}

variable "region" {
  description = "Region of everything here. Fixed for life."
  type        = string
}

variable "account_id" {
  description = "The only AWS account in which this is applied; null: whichever one is logged in to."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes."
  type        = string
}

variable "cidr" {
  description = "Addresses of the VPC. Fixed for life."
  type        = string
}

variable "zone_slots" {
  description = "Availability zone => slot, which decides its addresses; from cluster.lock.json."
  type        = map(number)
}

variable "control_plane_zones" {
  description = "Zones of the control plane. Fixed for life; from cluster.lock.json."
  type        = set(string)
}

variable "nat" {
  description = "NAT gateways: per_zone, single or none."
  type        = string
}

variable "interface_endpoints" {
  description = "AWS services with an endpoint in the VPC, beside S3."
  type        = set(string)
}

variable "flow_logs" {
  description = "Whether the VPC's traffic is recorded."
  type        = bool
}

variable "endpoint_public_cidrs" {
  description = "Who reaches the Kubernetes API over the internet. Empty: nobody."
  type        = set(string)
}

variable "endpoint_private_cidrs" {
  description = "Networks outside of the VPC that reach the private endpoint."
  type        = set(string)
}

variable "node_groups" {
  description = "Group => its nodes; see the module node-groups."
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
    ami_release    = string
    labels         = map(string)
    taints = list(object({
      key    = string
      value  = string
      effect = string
    }))
  }))
}

variable "autoscaler" {
  description = "cluster-autoscaler or none."
  type        = string
}

variable "access" {
  description = "Kubernetes group => IAM roles in it, and what it may do in the whole cluster: none, view or admin."
  type = map(object({
    roles   = set(string)
    cluster = string
  }))
}

variable "addons" {
  description = "EKS add-on => version; null: EKS's default."
  type        = map(string)
}

variable "control_plane_logs" {
  description = "Logs of the control plane that are kept."
  type        = set(string)
}

variable "retention_days" {
  description = "How long all logs are kept."
  type        = number
}

variable "workload_logs" {
  description = "Whether the output of Pods is kept too."
  type        = bool
}

variable "secrets_key" {
  description = "Whose key encrypts Kubernetes Secrets: aws or customer. Cannot go back to aws without a new cluster."
  type        = string
}

variable "disks_key" {
  description = "Whose key encrypts disks: aws or customer."
  type        = string
}

variable "logs_key" {
  description = "Whose key encrypts log groups: aws or customer."
  type        = string
}

variable "support_type" {
  description = "STANDARD: EKS upgrades an old cluster itself; EXTENDED: it charges six times as much."
  type        = string
}

variable "zonal_shift" {
  description = "Whether traffic can be shifted away from a zone."
  type        = bool
}

variable "tags" {
  description = "Tags of everything here."
  type        = map(string)
}
