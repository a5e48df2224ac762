output "arns" {
  description = "Purpose => ARN of its key, for the purposes that have one."
  value       = { for purpose, key in aws_kms_key.this : purpose => key.arn }
}
