"""Who may do what: RBAC as in Kubernetes."""
