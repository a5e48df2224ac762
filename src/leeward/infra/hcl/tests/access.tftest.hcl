mock_provider "aws" {
  source = "./mocks"
}

variables {
  cluster_name = "prod"
  access = {
    cloudops   = { roles = ["arn:aws:iam::111122223333:role/CloudOps"], cluster = "admin" }
    auditors   = { roles = ["arn:aws:iam::111122223333:role/Audit"], cluster = "view" }
    developers = { roles = ["arn:aws:iam::111122223333:role/Dev", "arn:aws:iam::111122223333:role/Lead"], cluster = "none" }
  }
}

run "a_role_is_in_its_group" {
  command = plan

  module {
    source = "../modules/access"
  }

  assert {
    condition = output.groups == {
      "arn:aws:iam::111122223333:role/Audit"    = "auditors"
      "arn:aws:iam::111122223333:role/CloudOps" = "cloudops"
      "arn:aws:iam::111122223333:role/Dev"      = "developers"
      "arn:aws:iam::111122223333:role/Lead"     = "developers"
    }
    error_message = "Every role has one entry, with its group."
  }

  assert {
    condition = { for role, link in aws_eks_access_policy_association.this : role => link.policy_arn } == {
      "arn:aws:iam::111122223333:role/Audit"    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
      "arn:aws:iam::111122223333:role/CloudOps" = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    }
    error_message = "Only who was given something for the whole cluster has it."
  }
}

run "nobody_is_fine_too" {
  command = plan

  module {
    source = "../modules/access"
  }

  variables {
    access = {}
  }

  assert {
    condition     = length(aws_eks_access_entry.this) == 0
    error_message = "No entries."
  }
}

run "a_role_is_in_one_group" {
  command = plan

  module {
    source = "../modules/access"
  }

  variables {
    access = {
      a = { roles = ["arn:aws:iam::111122223333:role/Dev"], cluster = "none" }
      b = { roles = ["arn:aws:iam::111122223333:role/Dev"], cluster = "view" }
    }
  }

  expect_failures = [var.access]
}
