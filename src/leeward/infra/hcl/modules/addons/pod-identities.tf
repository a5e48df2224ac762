# Roles of Pods. A service account of this cluster gets exactly one, whatever else runs on its node.

data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

locals {
  partition  = data.aws_partition.this.partition
  account    = data.aws_caller_identity.this.account_id
  cloudwatch = contains(keys(var.addons), "amazon-cloudwatch-observability")

  # managed: AWS's policies; policy: ours.
  known_identities = {
    load-balancer-controller = {
      wanted          = true
      role            = "lbc"
      namespace       = "kube-system"
      service_account = "aws-load-balancer-controller"
      managed         = []
      policy          = data.aws_iam_policy_document.load_balancer_controller.json
    }
    cluster-autoscaler = {
      wanted          = var.autoscaler == "cluster-autoscaler"
      role            = "autoscaler"
      namespace       = "kube-system"
      service_account = "cluster-autoscaler"
      managed         = []
      policy          = data.aws_iam_policy_document.cluster_autoscaler.json
    }
    ebs-csi = {
      wanted          = contains(keys(var.addons), "aws-ebs-csi-driver")
      role            = "ebs-csi"
      namespace       = "kube-system"
      service_account = "ebs-csi-controller-sa"
      managed         = ["service-role/AmazonEBSCSIDriverPolicy"]
      policy          = contains(keys(var.key_arns), "disks") ? data.aws_iam_policy_document.disks[0].json : null
    }
    cloudwatch = { # the agent and Fluent Bit of the add-on share a service account
      wanted          = local.cloudwatch
      role            = "cloudwatch"
      namespace       = "amazon-cloudwatch"
      service_account = "cloudwatch-agent"
      managed         = ["CloudWatchAgentServerPolicy"]
      policy          = null
    }
    fluent-bit = { # a Fluent Bit of your own, where the add-on is off
      wanted          = var.workload_logs && !local.cloudwatch
      role            = "fluent-bit"
      namespace       = "amazon-cloudwatch"
      service_account = "fluent-bit"
      managed         = []
      policy          = data.aws_iam_policy_document.fluent_bit.json
    }
  }

  identities = { for name, identity in local.known_identities : name => identity if identity.wanted }
  managed = merge([
    for name, identity in local.identities : { for policy in identity.managed : "${name}/${policy}" => { name = name, policy = policy } }
  ]...)

  # Which identities have a policy of ours, said without looking at policies, which are known only later.
  own_policies = setsubtract(keys(local.identities), contains(keys(var.key_arns), "disks") ? ["cloudwatch"] : ["cloudwatch", "ebs-csi"])
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = local.identities

  cluster_name    = var.cluster_name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.this[each.key].arn
}

data "aws_iam_policy_document" "trust" {
  for_each = local.identities

  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    # EKS says for whom it asks, in tags of the session: nobody else gets the role, not even by an
    # association that somebody makes in another cluster.
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/eks-cluster-arn"
      values   = [var.cluster_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-namespace"
      values   = [each.value.namespace]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-service-account"
      values   = [each.value.service_account]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.identities

  name               = "${var.cluster_name}-${var.region}-${each.value.role}"
  description        = "Pods of ${each.value.namespace}/${each.value.service_account} in ${var.cluster_name}."
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = local.managed

  role       = aws_iam_role.this[each.value.name].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.value.policy}"
}

resource "aws_iam_role_policy" "this" {
  for_each = local.own_policies

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = local.identities[each.key].policy
}

# Sees all Auto Scaling groups, as the API has it, but changes those of this cluster only.
data "aws_iam_policy_document" "cluster_autoscaler" {
  statement {
    sid = "Sees"
    actions = [
      "autoscaling:DescribeAutoScalingGroups",
      "autoscaling:DescribeAutoScalingInstances",
      "autoscaling:DescribeLaunchConfigurations",
      "autoscaling:DescribeScalingActivities",
      "autoscaling:DescribeTags",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeLaunchTemplateVersions",
      "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "SeesNodeGroups"
    actions   = ["eks:DescribeNodegroup"]
    resources = ["arn:${local.partition}:eks:${var.region}:${local.account}:nodegroup/${var.cluster_name}/*/*"]
  }

  statement {
    sid       = "Scales"
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["arn:${local.partition}:autoscaling:${var.region}:${local.account}:autoScalingGroup:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.cluster_name}"
      values   = ["owned"]
    }
  }
}

# Disks of claims are encrypted with the account's key: the driver uses it, and lets EC2 use it on its behalf.
data "aws_iam_policy_document" "disks" {
  count = contains(keys(var.key_arns), "disks") ? 1 : 0

  statement {
    sid       = "Uses"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = [var.key_arns["disks"]]
  }

  statement {
    sid       = "Attaches"
    actions   = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]
    resources = [var.key_arns["disks"]]

    condition {
      test     = "Bool"
      variable = "kms:GrantIsForAWSResource"
      values   = ["true"]
    }
  }
}

# Appends to the cluster's log groups, which exist.
data "aws_iam_policy_document" "fluent_bit" {
  statement {
    sid       = "Appends"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/containerinsights/${var.cluster_name}/*"]
  }
}
