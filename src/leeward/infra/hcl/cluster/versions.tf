terraform {
  required_version = ">= 1.10" # locks of the state are kept beside it, in S3
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id] # nothing is done in the wrong account

  default_tags {
    tags = local.tags
  }
}
