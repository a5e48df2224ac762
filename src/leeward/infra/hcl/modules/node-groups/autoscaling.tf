# What a node would be, for the autoscaler to know while a group has none. EKS itself tags its groups with
# k8s.io/cluster-autoscaler/enabled and /<cluster>, by which the autoscaler finds them.

locals {
  hints = {
    for name, group in local.node_groups : name => merge(
      { for key, value in group.labels : "label/${key}" => value },
      # One a key is all that a tag can say; a second effect of the same key keeps the same Pods away.
      { for key, taints in { for taint in group.taints : taint.key => taint... } : "taint/${key}" => "${taints[0].value}:${taints[0].effect}" },
      { "resources/ephemeral-storage" = "${group.disk_gib}Gi" },
      # Volumes choose their zone by these; only a group of one zone can promise it.
      { for key in ["topology.kubernetes.io/zone", "topology.ebs.csi.aws.com/zone"] : "label/${key}" => one(group.zones) if group.per_zone },
    )
  }
  hint_tags = var.autoscaler == "none" ? {} : merge([
    for name, hints in local.hints : { for key, value in hints : "${name}/${key}" => { name = name, key = key, value = value } }
  ]...)
}

resource "aws_autoscaling_group_tag" "hint" {
  for_each = local.hint_tags

  autoscaling_group_name = aws_eks_node_group.this[each.value.name].resources[0].autoscaling_groups[0].name

  tag {
    key                 = "k8s.io/cluster-autoscaler/node-template/${each.value.key}"
    value               = each.value.value
    propagate_at_launch = false
  }
}
