"""ValidatingAdmissionPolicies, and the expressions that policies and webhooks have."""
