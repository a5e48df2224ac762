output "cluster_name" {
  description = "Name of the cluster."
  value       = module.cluster.name
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = module.cluster.arn
}

output "region" {
  description = "Its region."
  value       = var.region
}

output "kubernetes_version" {
  description = "Minor version of Kubernetes that runs."
  value       = module.cluster.kubernetes_version
}

output "endpoint" {
  description = "URL of the Kubernetes API."
  value       = module.cluster.endpoint
}

output "certificate_authority" {
  description = "Certificate of the API, PEM in base64."
  value       = module.cluster.certificate_authority
}

output "oidc_issuer" {
  description = "Issuer of service account tokens."
  value       = module.cluster.oidc_issuer
}

output "security_group_id" {
  description = "Security group of control plane and nodes: let a database accept this one."
  value       = module.cluster.security_group_id
}

output "vpc_id" {
  description = "Id of the VPC."
  value       = module.network.vpc_id
}

output "private_subnet_ids" {
  description = "Zone => private subnet."
  value       = module.network.private_subnet_ids
}

output "public_subnet_ids" {
  description = "Zone => public subnet."
  value       = module.network.public_subnet_ids
}

output "control_plane_subnet_ids" {
  description = "Zone => subnet of the control plane."
  value       = module.network.control_plane_subnet_ids
}

output "private_route_table_ids" {
  description = "Zone => route table of the private subnet."
  value       = module.network.private_route_table_ids
}

output "nat_addresses" {
  description = "Zone => address from which the cluster reaches the internet."
  value       = module.network.nat_addresses
}

output "node_group_names" {
  description = "Group and zone => name of the EKS node group."
  value       = module.node_groups.names
}

output "node_role_arn" {
  description = "Role of the nodes."
  value       = module.node_groups.role_arn
}

output "addon_role_arns" {
  description = "What has an identity in the cluster => its role."
  value       = module.addons.role_arns
}

output "addon_versions" {
  description = "EKS add-on => version that runs."
  value       = module.addons.versions
}

output "key_arns" {
  description = "Purpose => KMS key of the account."
  value       = module.keys.arns
}

output "log_group_name" {
  description = "Log group of the control plane."
  value       = module.cluster.log_group_name
}
