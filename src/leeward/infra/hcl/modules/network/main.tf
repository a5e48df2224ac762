# The VPC of one cluster. By eighths of its addresses: 0 to 5 are the zones' private subnets, which nodes and
# Pods live in; 6 is shared by public subnets (load balancers, NAT), 7 by those of the control plane.

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
  zones        = keys(var.zone_slots)
  first_zone   = one([for zone, slot in var.zone_slots : zone if slot == min(values(var.zone_slots)...)])
  nat_zones    = { per_zone = local.zones, single = [local.first_zone], none = [] }[var.nat]
  public_cidr  = cidrsubnet(var.cidr, 3, 6)
  control_cidr = cidrsubnet(var.cidr, 3, 7)
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # names of private endpoints resolve only with both

  tags = { Name = var.name }
}

# What nobody chose a security group for can talk to nobody.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-closed" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

# Subnets. The tags tell the load balancer controller where public and internal load balancers go.

resource "aws_subnet" "private" {
  for_each = var.zone_slots

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 3, each.value)

  tags = {
    Name                              = "${var.name}-private-${each.key}"
    "kubernetes.io/role/internal-elb" = "1"
  }
}

resource "aws_subnet" "public" {
  for_each = var.zone_slots

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(local.public_cidr, 3, each.value)

  tags = {
    Name                     = "${var.name}-public-${each.key}"
    "kubernetes.io/role/elb" = "1"
  }
}

# Subnets of their own for the control plane's network interfaces: nodes and Pods can never use up the
# addresses that an upgrade of the control plane needs.
resource "aws_subnet" "control_plane" {
  for_each = var.control_plane_zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(local.control_cidr, 6, var.zone_slots[each.key])

  tags = { Name = "${var.name}-control-plane-${each.key}" }
}

# Ways out. Every zone has its own private route table, so that it can have its own NAT gateway.

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = var.zone_slots

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

resource "aws_eip" "nat" {
  #checkov:skip=CKV2_AWS_19:It belongs to a NAT gateway, below; checkov looks for instances.
  for_each = toset(local.nat_zones)

  domain = "vpc"

  tags = { Name = "${var.name}-nat-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nat_zones)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${var.name}-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "private" {
  for_each = var.zone_slots

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route" "nat" {
  for_each = var.nat == "none" ? {} : var.zone_slots

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[var.nat == "per_zone" ? each.key : local.first_zone].id
}

resource "aws_route_table_association" "private" {
  for_each = var.zone_slots

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# The control plane's interfaces talk within the VPC only: no way out.
resource "aws_route_table" "control_plane" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-control-plane" }
}

resource "aws_route_table_association" "control_plane" {
  for_each = var.control_plane_zones

  subnet_id      = aws_subnet.control_plane[each.key].id
  route_table_id = aws_route_table.control_plane.id
}
