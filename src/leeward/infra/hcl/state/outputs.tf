output "bucket" {
  description = "For `state:` in cluster.yaml."
  value       = aws_s3_bucket.this.bucket
}

output "arn" {
  description = "ARN of the bucket, for policies of those who run Terraform."
  value       = aws_s3_bucket.this.arn
}
