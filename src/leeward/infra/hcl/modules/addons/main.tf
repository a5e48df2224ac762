# EKS add-ons, and log groups for what they send. What runs in the cluster beyond them (load balancer controller,
# autoscaler) is applied to it by leeward, not by Terraform; its roles are here, in pod-identities.tf.

terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

locals {
  # Without these a node is not Ready, so they come before nodes; all others come after.
  node_addons = ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"]

  # Tags that the flag of the driver, key=value,key=value, can carry.
  volume_tags = { for key, value in var.tags : key => value if !can(regex("[,=]", "${key}${value}")) }

  configuration = {
    vpc-cni = { enableNetworkPolicy = "true" } # without it NetworkPolicies are accepted, and do nothing
    coredns = {
      replicaCount        = var.zone_count
      podDisruptionBudget = { enabled = true, maxUnavailable = 1 }
      topologySpreadConstraints = [{
        maxSkew           = 1
        topologyKey       = "topology.kubernetes.io/zone"
        whenUnsatisfiable = "ScheduleAnyway" # with a zone lost, DNS is better two in a zone than one less
        labelSelector     = { matchLabels = { k8s-app = "kube-dns" } }
      }]
    }
    aws-ebs-csi-driver              = { controller = { extraVolumeTags = local.volume_tags } }
    amazon-cloudwatch-observability = { containerLogs = { enabled = var.workload_logs } }
  }
}

resource "aws_eks_addon" "before_nodes" {
  for_each = { for addon, version in var.addons : addon => version if contains(local.node_addons, addon) }

  cluster_name                = var.cluster_name
  addon_name                  = each.key
  addon_version               = each.value
  configuration_values        = contains(keys(local.configuration), each.key) ? jsonencode(local.configuration[each.key]) : null
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE" # what is written here holds
}

resource "aws_eks_addon" "after_nodes" {
  for_each = { for addon, version in var.addons : addon => version if !contains(local.node_addons, addon) }

  cluster_name                = var.cluster_name
  addon_name                  = each.key
  addon_version               = each.value
  configuration_values        = contains(keys(local.configuration), each.key) ? jsonencode(local.configuration[each.key]) : null
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  # Pods get credentials only if the association was there when they started.
  depends_on = [
    aws_cloudwatch_log_group.this,
    aws_eks_addon.before_nodes,
    aws_eks_pod_identity_association.this,
    aws_iam_role_policy.this,
    aws_iam_role_policy_attachment.this,
    var.nodes,
  ]
}

# The agents make these themselves when there are none, without an end and without our key: so they are first.
resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(concat(
    var.workload_logs ? ["application", "dataplane", "host"] : [],
    local.cloudwatch ? ["performance"] : [],
  ))

  name              = "/aws/containerinsights/${var.cluster_name}/${each.key}"
  retention_in_days = var.retention_days
  kms_key_id        = lookup(var.key_arns, "logs", null)
}
