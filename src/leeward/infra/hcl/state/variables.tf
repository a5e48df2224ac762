variable "bucket" {
  description = "Name of the bucket, the one of `state:` in every cluster.yaml."
  type        = string
}

variable "region" {
  description = "Its region."
  type        = string
}

variable "account_id" {
  description = "The only AWS account in which this is applied; null: whichever one is logged in to."
  type        = string
  default     = null
}

variable "keep_days" {
  description = "How long states that were replaced are kept; the ten newest always are."
  type        = number
  default     = 365

  validation {
    condition     = var.keep_days >= 30
    error_message = "A lost state is noticed late: keep old ones 30 days at least."
  }
}
