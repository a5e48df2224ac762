"""Makes the claims of Pods' ephemeral volumes."""
