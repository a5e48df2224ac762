mock_provider "aws" {
  source = "./mocks"
}

variables {
  name                = "prod"
  region              = "us-east-1"
  cidr                = "10.40.0.0/16"
  zone_slots          = { us-east-1a = 0, us-east-1b = 1, us-east-1c = 2 }
  control_plane_zones = ["us-east-1a", "us-east-1b", "us-east-1c"]
  nat                 = "per_zone"
}

run "a_zone_has_its_addresses_by_its_slot" {
  command = plan

  module {
    source = "../modules/network"
  }

  assert {
    condition = output.subnet_cidrs.private == {
      us-east-1a = "10.40.0.0/19", us-east-1b = "10.40.32.0/19", us-east-1c = "10.40.64.0/19"
    }
    error_message = "Private subnets are the first eighths."
  }

  assert {
    condition = output.subnet_cidrs.public == {
      us-east-1a = "10.40.192.0/22", us-east-1b = "10.40.196.0/22", us-east-1c = "10.40.200.0/22"
    }
    error_message = "Public subnets share the seventh eighth."
  }

  assert {
    condition = output.subnet_cidrs.control_plane == {
      us-east-1a = "10.40.224.0/25", us-east-1b = "10.40.224.128/25", us-east-1c = "10.40.225.0/25"
    }
    error_message = "The control plane's subnets share the last eighth."
  }
}

run "zones_that_left_or_come_later_move_no_other" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    zone_slots          = { us-east-1f = 5, us-east-1c = 2, us-east-1a = 0 }
    control_plane_zones = ["us-east-1c", "us-east-1a"]
  }

  assert {
    condition = output.subnet_cidrs.private == {
      us-east-1a = "10.40.0.0/19", us-east-1c = "10.40.64.0/19", us-east-1f = "10.40.160.0/19"
    }
    error_message = "The addresses of a zone come from its slot, not from its place among the zones."
  }

  assert {
    condition     = keys(output.subnet_cidrs.control_plane) == ["us-east-1a", "us-east-1c"]
    error_message = "The control plane stays in its zones."
  }
}

run "the_smallest_network_still_has_room_for_the_control_plane" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    cidr = "10.40.32.0/19"
  }

  assert {
    condition     = values(output.subnet_cidrs.control_plane) == ["10.40.60.0/28", "10.40.60.16/28", "10.40.60.32/28"]
    error_message = "A /28 a zone is what EKS recommends at least."
  }
}

run "every_zone_has_its_own_way_out" {
  command = plan

  module {
    source = "../modules/network"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.nat) == 3
    error_message = "Three zones, three NAT gateways, three routes."
  }

  assert {
    condition     = alltrue([for subnet in merge(aws_subnet.private, aws_subnet.public) : subnet.map_public_ip_on_launch != true])
    error_message = "Nothing gets a public address by itself."
  }

  assert {
    condition     = length(aws_flow_log.this) == 1 && length(aws_vpc_endpoint.interface) == 0 && length(aws_security_group.endpoints) == 0
    error_message = "Flow logs are kept, and endpoints that cost are not there unless asked for."
  }
}

run "a_single_nat_gateway_serves_all_zones" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    zone_slots = { us-east-1a = 3, us-east-1b = 1, us-east-1c = 2 }
    nat        = "single"
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["us-east-1b"] && length(aws_route.nat) == 3
    error_message = "It is in the zone with the lowest slot, so that it stays there when zones come."
  }
}

run "without_nat_the_way_to_aws_is_endpoints" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    nat                 = "none"
    interface_endpoints = ["ecr.api", "ecr.dkr", "sts"]
    flow_logs           = false
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_eip.nat) == 0 && length(aws_route.nat) == 0
    error_message = "No NAT gateway, no address, no route."
  }

  assert {
    condition     = aws_vpc_endpoint.interface["ecr.dkr"].service_name == "com.amazonaws.us-east-1.ecr.dkr" && aws_vpc_endpoint.interface["ecr.dkr"].private_dns_enabled
    error_message = "Endpoints answer to the usual names."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == "10.40.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints[0].to_port == 443
    error_message = "HTTPS from the VPC."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && length(aws_flow_log.this) == 0
    error_message = "S3 is always there; flow logs were switched off."
  }
}

run "what_a_network_cannot_be" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    cidr                = "10.40.0.0/20"                                     # too small
    nat                 = "two"                                              # no such word
    zone_slots          = { us-east-1a = 0, us-east-1b = 0, us-east-1c = 2 } # two zones, one slot
    interface_endpoints = ["s3"]                                             # has its gateway endpoint
  }

  expect_failures = [var.cidr, var.nat, var.zone_slots, var.interface_endpoints]
}

run "the_control_plane_is_in_two_zones_of_the_cluster" {
  command = plan

  module {
    source = "../modules/network"
  }

  variables {
    control_plane_zones = ["us-east-1f"]
  }

  expect_failures = [var.control_plane_zones]
}
