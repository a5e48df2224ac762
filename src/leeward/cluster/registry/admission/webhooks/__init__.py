"""MutatingAdmissionWebhook and ValidatingAdmissionWebhook: servers of others are asked about writes."""
