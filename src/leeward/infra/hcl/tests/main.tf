# Tests of the modules, with a provider that only pretends: no AWS account, nothing made, nothing paid.
#   terraform -chdir=tests init && terraform -chdir=tests test
terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}
