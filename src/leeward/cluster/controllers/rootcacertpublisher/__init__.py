"""Publishes the cluster's CA certificate in every namespace."""
