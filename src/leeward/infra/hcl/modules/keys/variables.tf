variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "region" {
  description = "Region of the keys."
  type        = string
}

variable "purposes" {
  description = "What a key of the account is made for: secrets, disks, logs. What is left out is encrypted with AWS's own."
  type        = set(string)

  validation {
    condition     = length(setsubtract(var.purposes, ["secrets", "disks", "logs"])) == 0
    error_message = "Keys are for secrets, disks or logs."
  }
}
