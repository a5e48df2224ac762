variable "name" {
  description = "Name of the cluster; everything here is named after it."
  type        = string
}

variable "region" {
  description = "Region of the VPC."
  type        = string
}

variable "cidr" {
  description = "Addresses of the VPC."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 19
    error_message = "A cluster's VPC is from /16 to /19."
  }
}

variable "zone_slots" {
  description = "Availability zone => slot. The slot decides the zone's addresses for life, so neither the order of zones nor a zone that leaves moves a subnet."
  type        = map(number)

  validation {
    condition     = length(var.zone_slots) >= 2
    error_message = "EKS needs subnets in two zones at least."
  }

  validation {
    condition     = length(distinct(values(var.zone_slots))) == length(var.zone_slots)
    error_message = "Two zones have one slot, and so the same addresses."
  }

  validation {
    condition     = alltrue([for slot in values(var.zone_slots) : slot >= 0 && slot <= 5 && floor(slot) == slot])
    error_message = "Slots are whole numbers from 0 to 5; eighths 6 and 7 of the VPC are for public and control-plane subnets."
  }
}

variable "control_plane_zones" {
  description = "Zones of the control plane. EKS fixes them when it makes the cluster."
  type        = set(string)

  validation {
    condition     = length(var.control_plane_zones) >= 2
    error_message = "EKS needs the control plane in two zones at least."
  }

  validation {
    condition     = alltrue([for zone in var.control_plane_zones : contains(keys(var.zone_slots), zone)])
    error_message = "A zone of the control plane is not among the zones of the cluster."
  }
}

variable "nat" {
  description = "NAT gateways: per_zone, single (a single zone can then take away the way out) or none."
  type        = string

  validation {
    condition     = contains(["per_zone", "single", "none"], var.nat)
    error_message = "nat is per_zone, single or none."
  }
}

variable "interface_endpoints" {
  description = "AWS services reached without leaving the VPC, such as ecr.api. Each costs by the hour and zone."
  type        = set(string)
  default     = []

  validation {
    condition     = !contains(var.interface_endpoints, "s3")
    error_message = "S3 always has its gateway endpoint, which is free."
  }
}

variable "flow_logs" {
  description = "Whether the VPC's traffic is recorded."
  type        = bool
  default     = true
}

variable "retention_days" {
  description = "How long flow logs are kept."
  type        = number
  default     = 365
}

variable "logs_key_arn" {
  description = "KMS key of log groups; null: a key of CloudWatch's own."
  type        = string
  default     = null
}
