# The control plane: private, logged, encrypted. Who may do what is in the module access.

terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

data "aws_partition" "this" {}

# EKS makes this group itself when there is none, without an end and without our key: so it must be first.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.retention_days
  kms_key_id        = lookup(var.key_arns, "logs", null)
}

resource "aws_eks_cluster" "this" {
  #checkov:skip=CKV_AWS_339:Its list of supported versions ends at 1.35; leeward infra check knows the dates.
  name     = var.name
  version  = var.kubernetes_version
  role_arn = aws_iam_role.this.arn

  enabled_cluster_log_types     = var.control_plane_logs
  bootstrap_self_managed_addons = false # they are EKS add-ons, so that upgrades know them

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.endpoint_public_cidrs) > 0
    public_access_cidrs     = length(var.endpoint_public_cidrs) > 0 ? var.endpoint_public_cidrs : null
  }

  # People and machines are access entries, nothing else: no ConfigMap in the cluster, and whoever ran
  # Terraform first is no secret administrator.
  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  dynamic "encryption_config" {
    for_each = contains(keys(var.key_arns), "secrets") ? ["secrets"] : []

    content {
      resources = ["secrets"]

      provider {
        key_arn = var.key_arns["secrets"]
      }
    }
  }

  upgrade_policy {
    support_type = var.support_type
  }

  zonal_shift_config {
    enabled = var.zonal_shift
  }

  # The role must be able to remove what EKS made for the cluster until the cluster is gone.
  depends_on = [
    aws_cloudwatch_log_group.this,
    aws_iam_role_policy.key,
    aws_iam_role_policy_attachment.this,
  ]
}

# Nodes share the cluster's own security group; others reach the private endpoint only from here.
resource "aws_vpc_security_group_ingress_rule" "api" {
  for_each = setunion([var.vpc_cidr], var.endpoint_private_cidrs)

  security_group_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  description       = "Kubernetes API"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-${var.region}-cluster"
  description        = "The control plane of ${var.name}."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/AmazonEKSClusterPolicy"
}

data "aws_iam_policy_document" "key" {
  count = contains(keys(var.key_arns), "secrets") ? 1 : 0

  statement {
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"]
    resources = [var.key_arns["secrets"]]
  }
}

resource "aws_iam_role_policy" "key" {
  count = contains(keys(var.key_arns), "secrets") ? 1 : 0

  name   = "secrets"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.key[0].json
}
