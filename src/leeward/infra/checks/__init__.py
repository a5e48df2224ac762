"""What ``leeward infra check`` looks for: rules that neither Terraform nor a scanner has."""
