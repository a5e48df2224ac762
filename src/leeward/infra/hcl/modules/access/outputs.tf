output "groups" {
  description = "Role => Kubernetes group."
  value       = { for role, entry in aws_eks_access_entry.this : role => one(entry.kubernetes_groups) }
}
