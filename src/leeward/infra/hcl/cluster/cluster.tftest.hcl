# What this cluster would be, by its own values, with a provider that only pretends: needs no AWS account.
#   terraform init -backend=false && terraform test

mock_provider "aws" {
  source = "../../tests/mocks"
}

run "every_zone_has_its_subnets_and_every_group_its_nodes" {
  command = plan

  assert {
    condition     = toset(keys(output.private_subnet_ids)) == toset(keys(var.zone_slots)) && toset(keys(output.public_subnet_ids)) == toset(keys(var.zone_slots))
    error_message = "A zone has no subnet."
  }

  assert {
    condition     = toset(keys(output.control_plane_subnet_ids)) == var.control_plane_zones
    error_message = "The control plane is elsewhere."
  }

  assert {
    condition     = length(output.node_group_names) == sum([for group in var.node_groups : group.per_zone ? length(group.zones) : 1])
    error_message = "A group has no nodes in one of its zones."
  }

  assert {
    condition     = length(output.nat_addresses) == { per_zone = length(var.zone_slots), single = 1, none = 0 }[var.nat]
    error_message = "NAT gateways are not what nat says."
  }

  assert {
    condition     = toset(keys(output.addon_versions)) == toset(keys(var.addons)) && contains(keys(output.addon_role_arns), "load-balancer-controller")
    error_message = "An add-on or its role is missing."
  }

  assert {
    condition     = toset(keys(output.key_arns)) == toset([for purpose, whose in { secrets = var.secrets_key, disks = var.disks_key, logs = var.logs_key } : purpose if whose == "customer"])
    error_message = "A key of the account is missing."
  }
}
