mock_provider "aws" {
  source = "./mocks"
}

variables {
  name               = "prod"
  region             = "us-east-1"
  kubernetes_version = "1.35"
  vpc_cidr           = "10.40.0.0/16"
  subnet_ids         = ["subnet-a", "subnet-b", "subnet-c"]
}

run "a_cluster_is_private_logged_and_without_hidden_administrators" {
  command = plan

  module {
    source = "../modules/cluster"
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "The API is reached from within the VPC only."
  }

  assert {
    condition     = length(aws_eks_cluster.this.enabled_cluster_log_types) == 5 && aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "All logs are kept for a year."
  }

  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Access entries alone say who may do what."
  }

  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD" && aws_eks_cluster.this.zonal_shift_config[0].enabled && !aws_eks_cluster.this.bootstrap_self_managed_addons
    error_message = "Standard support, zonal shift, and add-ons that EKS knows."
  }

  assert {
    condition     = length(aws_eks_cluster.this.encryption_config) == 0 && length(aws_iam_role_policy.key) == 0
    error_message = "Without a key, AWS's own is used."
  }
}

run "a_key_of_the_account_encrypts_secrets_and_logs" {
  command = plan

  module {
    source = "../modules/cluster"
  }

  variables {
    key_arns = {
      secrets = "arn:aws:kms:us-east-1:111122223333:key/aaaaaaaa-2222-3333-4444-555555555555"
      logs    = "arn:aws:kms:us-east-1:111122223333:key/bbbbbbbb-2222-3333-4444-555555555555"
    }
  }

  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.key_arns["secrets"] && aws_cloudwatch_log_group.this.kms_key_id == var.key_arns["logs"]
    error_message = "Each has its own key."
  }

  assert {
    condition     = length(aws_iam_role_policy.key) == 1
    error_message = "The control plane may use the key of Secrets."
  }
}

run "offices_and_vpns_are_let_in_by_name" {
  command = plan

  module {
    source = "../modules/cluster"
  }

  variables {
    endpoint_public_cidrs  = ["203.0.113.0/24"]
    endpoint_private_cidrs = ["10.8.0.0/16"]
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && tolist(aws_eks_cluster.this.vpc_config[0].public_access_cidrs) == tolist(["203.0.113.0/24"])
    error_message = "Over the internet only the office."
  }

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.api) == ["10.40.0.0/16", "10.8.0.0/16"]
    error_message = "The private endpoint answers the VPC and the VPN."
  }
}

run "what_a_cluster_cannot_be" {
  command = plan

  module {
    source = "../modules/cluster"
  }

  variables {
    name                  = "a-name-that-is-longer-than-thirty-eight" # roles are named after it
    kubernetes_version    = "1.35.2"                                  # the patch is EKS's
    endpoint_public_cidrs = ["0.0.0.0/0"]                             # the internet is no office
    support_type          = "FOREVER"
  }

  expect_failures = [var.name, var.kubernetes_version, var.endpoint_public_cidrs, var.support_type]
}
