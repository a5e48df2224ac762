# People and machines: an IAM role becomes a member of a Kubernetes group. What a group may do in a namespace is
# said inside of the cluster, by RoleBindings to the group.

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
  members = merge([
    for group, people in var.access : { for role in people.roles : role => { group = group, cluster = people.cluster } }
  ]...)
  policies = {
    view  = "AmazonEKSViewPolicy" # everything but Secrets
    admin = "AmazonEKSClusterAdminPolicy"
  }
}

resource "aws_eks_access_entry" "this" {
  for_each = local.members

  cluster_name      = var.cluster_name
  principal_arn     = each.key
  kubernetes_groups = [each.value.group]
  type              = "STANDARD"
}

resource "aws_eks_access_policy_association" "this" {
  for_each = { for role, member in local.members : role => local.policies[member.cluster] if member.cluster != "none" }

  cluster_name  = var.cluster_name
  principal_arn = aws_eks_access_entry.this[each.key].principal_arn
  policy_arn    = "arn:${data.aws_partition.this.partition}:eks::aws:cluster-access-policy/${each.value}"

  access_scope {
    type = "cluster"
  }
}
