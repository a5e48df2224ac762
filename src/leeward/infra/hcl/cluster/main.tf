# One cluster. This file is the same in every cluster's directory; what differs is in cluster.auto.tfvars.json. Your
# own resources belong into extra.tf.

locals {
  tags = merge(var.tags, {
    "leeward:cluster" = var.name
    "leeward:managed" = "terraform"
  })
  keys = { secrets = var.secrets_key, disks = var.disks_key, logs = var.logs_key }
}

module "keys" {
  source = "../../modules/keys"

  name     = var.name
  region   = var.region
  purposes = [for purpose, whose in local.keys : purpose if whose == "customer"]
}

module "network" {
  source = "../../modules/network"

  name                = var.name
  region              = var.region
  cidr                = var.cidr
  zone_slots          = var.zone_slots
  control_plane_zones = var.control_plane_zones
  nat                 = var.nat
  interface_endpoints = var.interface_endpoints
  flow_logs           = var.flow_logs
  retention_days      = var.retention_days
  logs_key_arn        = lookup(module.keys.arns, "logs", null)
}

module "cluster" {
  source = "../../modules/cluster"

  name                   = var.name
  region                 = var.region
  kubernetes_version     = var.kubernetes_version
  vpc_cidr               = var.cidr
  subnet_ids             = values(module.network.control_plane_subnet_ids)
  endpoint_public_cidrs  = var.endpoint_public_cidrs
  endpoint_private_cidrs = var.endpoint_private_cidrs
  control_plane_logs     = var.control_plane_logs
  retention_days         = var.retention_days
  key_arns               = module.keys.arns
  support_type           = var.support_type
  zonal_shift            = var.zonal_shift
}

module "node_groups" {
  source = "../../modules/node-groups"

  cluster_name       = module.cluster.name
  region             = var.region
  kubernetes_version = module.cluster.kubernetes_version # nodes follow when the control plane is there
  private_subnet_ids = module.network.private_subnet_ids
  node_groups        = var.node_groups
  key_arns           = module.keys.arns
  autoscaler         = var.autoscaler
  tags               = local.tags
  needs              = concat(module.network.ways_out, module.addons.before_nodes)
}

module "access" {
  source = "../../modules/access"

  cluster_name = module.cluster.name
  access       = var.access
}

module "addons" {
  source = "../../modules/addons"

  cluster_name   = module.cluster.name
  cluster_arn    = module.cluster.arn
  region         = var.region
  addons         = var.addons
  zone_count     = length(var.zone_slots)
  autoscaler     = var.autoscaler
  workload_logs  = var.workload_logs
  retention_days = var.retention_days
  key_arns       = module.keys.arns
  tags           = local.tags
  nodes          = module.node_groups.ids
}
