output "names" {
  description = "Group and zone => name of the EKS node group."
  value       = { for key, group in aws_eks_node_group.this : key => group.node_group_name }
}

output "autoscaling_group_names" {
  description = "Group and zone => name of its Auto Scaling group."
  value       = { for key, group in aws_eks_node_group.this : key => group.resources[0].autoscaling_groups[0].name }
}

output "role_arn" {
  description = "Role of all nodes."
  value       = aws_iam_role.this.arn
}

output "ids" {
  description = "Ids of the node groups; what needs nodes waits for them."
  value       = [for group in aws_eks_node_group.this : group.id]
}
