variable "name" {
  description = "Name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,36}[a-z0-9])?$", var.name))
    error_message = "A name has at most 38 lower-case letters, digits and hyphens; roles and keys are named after it."
  }
}

variable "region" {
  description = "Region of the cluster."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes. One step at a time upwards."
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "A minor version such as 1.35; EKS chooses the patch."
  }
}

variable "subnet_ids" {
  description = "Subnets of the control plane. EKS fixes their zones when it makes the cluster."
  type        = list(string)
}

variable "vpc_cidr" {
  description = "Addresses of the VPC, which reach the private endpoint."
  type        = string
}

variable "endpoint_public_cidrs" {
  description = "Who reaches the API over the internet. Empty: nobody."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.endpoint_public_cidrs : tonumber(split("/", cidr)[1]) >= 8])
    error_message = "The API is not opened to the internet: list the addresses of offices or a VPN."
  }
}

variable "endpoint_private_cidrs" {
  description = "Networks outside of the VPC, such as a VPN, that reach the private endpoint."
  type        = set(string)
  default     = []
}

variable "control_plane_logs" {
  description = "Logs that are kept: api, audit, authenticator, controllerManager, scheduler."
  type        = set(string)
  default     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
}

variable "retention_days" {
  description = "How long they are kept."
  type        = number
  default     = 365
}

variable "key_arns" {
  description = "Purpose => KMS key: secrets, logs. What has none is encrypted with AWS's own."
  type        = map(string)
  default     = {}
}

variable "support_type" {
  description = "At the end of standard support EKS upgrades the cluster (STANDARD) or charges six times as much (EXTENDED)."
  type        = string
  default     = "STANDARD"

  validation {
    condition     = contains(["STANDARD", "EXTENDED"], var.support_type)
    error_message = "support_type is STANDARD or EXTENDED."
  }
}

variable "zonal_shift" {
  description = "Whether traffic can be shifted away from a zone."
  type        = bool
  default     = true
}
