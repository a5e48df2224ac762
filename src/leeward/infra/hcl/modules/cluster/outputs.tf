output "name" {
  description = "Name of the cluster; what needs it waits until it is there."
  value       = aws_eks_cluster.this.name
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_eks_cluster.this.arn
}

output "endpoint" {
  description = "URL of the Kubernetes API."
  value       = aws_eks_cluster.this.endpoint
}

output "certificate_authority" {
  description = "Certificate of the API, PEM in base64, as kubeconfig wants it."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "kubernetes_version" {
  description = "Minor version that runs."
  value       = aws_eks_cluster.this.version
}

output "security_group_id" {
  description = "Security group that the control plane and all nodes share."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "oidc_issuer" {
  description = "Issuer of service account tokens, for what cannot use Pod Identity."
  value       = aws_eks_cluster.this.identity[0].oidc[0].issuer
}

output "log_group_name" {
  description = "Log group of the control plane."
  value       = aws_cloudwatch_log_group.this.name
}
