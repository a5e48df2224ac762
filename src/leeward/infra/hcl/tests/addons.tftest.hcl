mock_provider "aws" {
  source = "./mocks"
}

variables {
  cluster_name  = "prod"
  cluster_arn   = "arn:aws:eks:us-east-1:111122223333:cluster/prod"
  region        = "us-east-1"
  zone_count    = 3
  autoscaler    = "cluster-autoscaler"
  workload_logs = true
  nodes         = []
  addons = {
    vpc-cni                         = "v1.20.4-eksbuild.2"
    kube-proxy                      = null
    coredns                         = null
    eks-pod-identity-agent          = null
    aws-ebs-csi-driver              = null
    metrics-server                  = null
    amazon-cloudwatch-observability = null
  }
}

run "network_policies_are_enforced_and_dns_is_in_every_zone" {
  command = plan

  module {
    source = "../modules/addons"
  }

  assert {
    condition     = keys(aws_eks_addon.before_nodes) == ["eks-pod-identity-agent", "kube-proxy", "vpc-cni"] && length(aws_eks_addon.after_nodes) == 4
    error_message = "What nodes need is there before them."
  }

  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true" && aws_eks_addon.before_nodes["vpc-cni"].addon_version == "v1.20.4-eksbuild.2"
    error_message = "The VPC CNI of the pinned version enforces NetworkPolicies."
  }

  assert {
    condition     = jsondecode(aws_eks_addon.after_nodes["coredns"].configuration_values).replicaCount == 3
    error_message = "One DNS server a zone."
  }
}

run "pods_have_roles_of_their_own" {
  command = plan

  module {
    source = "../modules/addons"
  }

  assert {
    condition = { for name, link in aws_eks_pod_identity_association.this : name => "${link.namespace}/${link.service_account}" } == {
      cloudwatch               = "amazon-cloudwatch/cloudwatch-agent"
      cluster-autoscaler       = "kube-system/cluster-autoscaler"
      ebs-csi                  = "kube-system/ebs-csi-controller-sa"
      load-balancer-controller = "kube-system/aws-load-balancer-controller"
    }
    error_message = "One identity a service account."
  }

  assert {
    condition     = keys(aws_iam_role_policy.this) == ["cluster-autoscaler", "load-balancer-controller"]
    error_message = "The others have AWS's policies."
  }

  assert {
    condition     = keys(aws_cloudwatch_log_group.this) == ["application", "dataplane", "host", "performance"]
    error_message = "Log groups are there before what writes them."
  }
}

run "what_is_off_has_no_role" {
  command = plan

  module {
    source = "../modules/addons"
  }

  variables {
    autoscaler    = "none"
    workload_logs = false
    addons        = { vpc-cni = null, kube-proxy = null, coredns = null, eks-pod-identity-agent = null }
  }

  assert {
    condition     = keys(output.role_arns) == ["load-balancer-controller"] && length(aws_cloudwatch_log_group.this) == 0
    error_message = "Only the load balancer controller is left."
  }
}

run "the_csi_driver_may_use_the_key_of_disks" {
  command = plan

  module {
    source = "../modules/addons"
  }

  variables {
    key_arns = { disks = "arn:aws:kms:us-east-1:111122223333:key/aaaaaaaa-2222-3333-4444-555555555555" }
  }

  assert {
    condition     = contains(keys(aws_iam_role_policy.this), "ebs-csi")
    error_message = "Volumes of claims could not be made."
  }
}

run "a_shipper_of_your_own_may_write_where_the_addon_is_off" {
  command = plan

  module {
    source = "../modules/addons"
  }

  variables {
    addons = { vpc-cni = null, kube-proxy = null, coredns = null, eks-pod-identity-agent = null }
  }

  assert {
    condition     = contains(keys(output.role_arns), "fluent-bit") && length(aws_cloudwatch_log_group.this) == 3
    error_message = "Fluent Bit has a role and its log groups."
  }
}

run "no_cluster_without_dns" {
  command = plan

  module {
    source = "../modules/addons"
  }

  variables {
    addons = { vpc-cni = null, kube-proxy = null, eks-pod-identity-agent = null }
  }

  expect_failures = [var.addons]
}
