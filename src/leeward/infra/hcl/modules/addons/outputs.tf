# The node groups wait for these.
output "before_nodes" {
  description = "ARNs of the add-ons without which no node is Ready."
  value       = [for addon in aws_eks_addon.before_nodes : addon.arn]
}

output "versions" {
  description = "Add-on => version that runs."
  value       = { for name, addon in merge(aws_eks_addon.before_nodes, aws_eks_addon.after_nodes) : name => addon.addon_version }
}

output "role_arns" {
  description = "What has an identity => its role."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
