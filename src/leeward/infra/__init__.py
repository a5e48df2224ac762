"""A short cluster spec in, a Terraform repository out; checks, cost, and AWS."""
