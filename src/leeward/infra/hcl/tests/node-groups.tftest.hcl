mock_provider "aws" {
  source = "./mocks"
}

variables {
  cluster_name       = "prod"
  region             = "us-east-1"
  kubernetes_version = "1.35"
  private_subnet_ids = { us-east-1a = "subnet-a", us-east-1b = "subnet-b", us-east-1c = "subnet-c" }
  node_groups = {
    general = {
      instance_types = ["m7i.large", "m6i.large"]
      min            = 1
      desired        = 2
      max            = 4
      capacity_type  = "ON_DEMAND"
      per_zone       = true
      zones          = ["us-east-1a", "us-east-1b", "us-east-1c"]
      disk_gib       = 50
      ami_type       = "AL2023_x86_64_STANDARD"
    }
    batch = {
      instance_types = ["m7g.large"]
      min            = 0
      desired        = 0
      max            = 6
      capacity_type  = "SPOT"
      per_zone       = false
      zones          = ["us-east-1a", "us-east-1c"]
      disk_gib       = 100
      ami_type       = "BOTTLEROCKET_ARM_64"
      ami_release    = "1.50.0-abcdef"
      labels         = { workload = "batch" }
      taints         = [{ key = "dedicated", value = "batch", effect = "NoSchedule" }]
    }
  }
}

run "a_group_is_in_every_zone_unless_it_may_span_them" {
  command = plan

  module {
    source = "../modules/node-groups"
  }

  assert {
    condition     = keys(aws_eks_node_group.this) == ["batch", "general-a", "general-b", "general-c"]
    error_message = "One group a zone, named after it."
  }

  assert {
    condition     = tolist(aws_eks_node_group.this["general-b"].subnet_ids) == tolist(["subnet-b"]) && length(aws_eks_node_group.this["batch"].subnet_ids) == 2
    error_message = "Nodes are in the private subnets of their zones."
  }

  assert {
    condition     = aws_eks_node_group.this["general-a"].scaling_config[0] == { min_size = 1, desired_size = 2, max_size = 4 }
    error_message = "Sizes are those of the group, in each zone."
  }

  assert {
    condition     = alltrue([for group in aws_eks_node_group.this : group.node_repair_config[0].enabled && group.update_config[0].max_unavailable_percentage == 33])
    error_message = "Broken nodes are replaced, and updates take a third at a time."
  }

  assert {
    condition     = aws_eks_node_group.this["batch"].capacity_type == "SPOT" && one(aws_eks_node_group.this["batch"].taint).effect == "NO_SCHEDULE"
    error_message = "Spot, and tainted in EKS's words."
  }

  assert {
    condition     = aws_eks_node_group.this["batch"].release_version == "1.50.0-abcdef"
    error_message = "The AMI is the one that was pinned."
  }
}

run "instances_give_credentials_to_nobody_else_and_encrypt_their_disks" {
  command = plan

  module {
    source = "../modules/node-groups"
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "IMDSv2, one hop."
  }

  assert {
    condition     = alltrue(flatten([for template in aws_launch_template.this : [for disk in template.block_device_mappings : disk.ebs[0].encrypted == "true" && disk.ebs[0].volume_type == "gp3"]]))
    error_message = "All disks are gp3, encrypted."
  }

  assert {
    condition     = aws_launch_template.this["batch"].block_device_mappings[1].device_name == "/dev/xvdb" && aws_launch_template.this["batch"].block_device_mappings[1].ebs[0].volume_size == 100
    error_message = "Bottlerocket's data is on its second disk."
  }
}

run "the_autoscaler_knows_what_an_empty_group_would_bring" {
  command = plan

  module {
    source = "../modules/node-groups"
  }

  assert {
    condition = alltrue([
      for key, value in {
        "batch/label/workload"                          = "batch"
        "batch/taint/dedicated"                         = "batch:NoSchedule"
        "batch/resources/ephemeral-storage"             = "100Gi"
        "general-b/label/topology.ebs.csi.aws.com/zone" = "us-east-1b"
        "general-b/label/topology.kubernetes.io/zone"   = "us-east-1b"
      } : one(aws_autoscaling_group_tag.hint[key].tag).value == value
    ])
    error_message = "Labels, taints, disk and zone are tags of the Auto Scaling group."
  }

  assert {
    condition     = !contains(keys(aws_autoscaling_group_tag.hint), "batch/label/topology.kubernetes.io/zone")
    error_message = "A group that spans zones promises none."
  }
}

run "without_an_autoscaler_there_are_no_hints" {
  command = plan

  module {
    source = "../modules/node-groups"
  }

  variables {
    autoscaler = "none"
  }

  assert {
    condition     = length(aws_autoscaling_group_tag.hint) == 0
    error_message = "Nobody would read them."
  }
}

run "sizes_are_in_order" {
  command = plan

  module {
    source = "../modules/node-groups"
  }

  variables {
    node_groups = {
      general = {
        instance_types = ["m7i.large"]
        min            = 3
        desired        = 2
        max            = 4
        capacity_type  = "ON_DEMAND"
        per_zone       = true
        zones          = ["us-east-1a"]
        disk_gib       = 50
        ami_type       = "AL2023_x86_64_STANDARD"
      }
    }
  }

  expect_failures = [var.node_groups]
}
