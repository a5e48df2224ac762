# KMS keys of the account, one a purpose, each usable by whom that purpose needs and no more.

terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  use       = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]

  # Auto Scaling starts the nodes, so it is Auto Scaling that must be able to open their disks. Without this
  # instances end right after they start, and nothing says why.
  scaling_role = "arn:${local.partition}:iam::${local.account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"

  log_groups = [
    for path in ["/aws/eks", "/aws/vpc", "/aws/containerinsights"] :
    "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:${path}/${var.name}/*"
  ]
}

data "aws_iam_policy_document" "this" {
  #checkov:skip=CKV_AWS_109:In the policy of a key "*" is that key, and its account must be able to manage it.
  #checkov:skip=CKV_AWS_111:In the policy of a key "*" is that key.
  #checkov:skip=CKV_AWS_356:In the policy of a key "*" is that key.
  for_each = var.purposes

  # IAM of the account decides who may use the key, as it does for everything else. Without this statement a
  # key can become one that nobody can manage.
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "disks" ? [1] : []

    content {
      sid       = "AutoScalingUses"
      actions   = local.use
      resources = ["*"]

      principals {
        type        = "AWS"
        identifiers = [local.scaling_role]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "disks" ? [1] : []

    content {
      sid       = "AutoScalingAttaches"
      actions   = ["kms:CreateGrant"]
      resources = ["*"]

      principals {
        type        = "AWS"
        identifiers = [local.scaling_role]
      }

      condition { # for EC2 on its behalf, not for anybody else
        test     = "Bool"
        variable = "kms:GrantIsForAWSResource"
        values   = ["true"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "logs" ? [1] : []

    content {
      sid       = "CloudWatchLogs"
      actions   = local.use
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["logs.${var.region}.${data.aws_partition.this.dns_suffix}"]
      }

      condition { # for the log groups of this cluster alone
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:logs:arn"
        values   = local.log_groups
      }
    }
  }
}

resource "aws_kms_key" "this" {
  for_each = var.purposes

  description             = "${var.name}: ${each.key}"
  enable_key_rotation     = true
  deletion_window_in_days = 30 # the longest: without its key nothing can be read any more
  policy                  = data.aws_iam_policy_document.this[each.key].json

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_kms_alias" "this" {
  for_each = var.purposes

  name          = "alias/eks/${var.name}/${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}
