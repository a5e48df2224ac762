# Nodes: managed node groups, one a zone unless they may span zones, in private subnets.

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

locals {
  # A volume is in one zone, so the autoscaler must be able to ask for a node in that zone: one group a zone.
  in_a_zone = merge([
    for name, group in var.node_groups : {
      for zone in group.zones : "${name}-${trimprefix(zone, var.region)}" => merge(group, { group = name, zones = [zone] })
    } if group.per_zone
  ]...)
  spanning    = { for name, group in var.node_groups : name => merge(group, { group = name }) if !group.per_zone }
  node_groups = merge(local.in_a_zone, local.spanning)

  effects = {
    NoSchedule       = "NO_SCHEDULE"
    PreferNoSchedule = "PREFER_NO_SCHEDULE"
    NoExecute        = "NO_EXECUTE"
  }
}

resource "aws_eks_node_group" "this" {
  for_each = local.node_groups

  cluster_name           = var.cluster_name
  node_group_name_prefix = "${each.key}-"
  node_role_arn          = aws_iam_role.this.arn
  subnet_ids             = [for zone in each.value.zones : var.private_subnet_ids[zone]]

  version         = var.kubernetes_version
  ami_type        = each.value.ami_type
  release_version = each.value.ami_release
  capacity_type   = each.value.capacity_type
  instance_types  = each.value.instance_types
  labels          = each.value.labels

  launch_template {
    id      = aws_launch_template.this[each.value.group].id
    version = aws_launch_template.this[each.value.group].latest_version
  }

  scaling_config {
    min_size     = each.value.min
    desired_size = each.value.desired
    max_size     = each.value.max
  }

  update_config {
    max_unavailable_percentage = 33
  }

  node_repair_config {
    enabled = true
  }

  dynamic "taint" {
    for_each = each.value.taints

    content {
      key    = taint.value.key
      value  = taint.value.value
      effect = local.effects[taint.value.effect]
    }
  }

  lifecycle {
    create_before_destroy = true                             # Pods move to the new nodes, then the old ones go
    ignore_changes        = [scaling_config[0].desired_size] # the autoscaler's
  }

  # Nodes that start without a network or without their role's policies never become Ready, and EKS gives up.
  depends_on = [
    aws_iam_role_policy_attachment.this,
    var.needs,
  ]
}

resource "aws_launch_template" "this" {
  for_each = var.node_groups

  name_prefix            = "${var.cluster_name}-${each.key}-"
  description            = "Nodes ${each.key} of ${var.cluster_name}."
  update_default_version = true

  # Credentials of the node's role only by a token, and only to the node itself: not to Pods, one hop further.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # Bottlerocket has its system on the first disk, as large as its image, and everything else on the second.
  dynamic "block_device_mappings" {
    for_each = startswith(each.value.ami_type, "BOTTLEROCKET") ? { "/dev/xvda" = null, "/dev/xvdb" = each.value.disk_gib } : { "/dev/xvda" = each.value.disk_gib }

    content {
      device_name = block_device_mappings.key

      ebs {
        volume_type           = "gp3"
        volume_size           = block_device_mappings.value
        encrypted             = true
        kms_key_id            = lookup(var.key_arns, "disks", null)
        delete_on_termination = true
      }
    }
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])

    content {
      resource_type = tag_specifications.key
      tags          = merge(var.tags, { Name = "${var.cluster_name}-${each.key}" })
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}
