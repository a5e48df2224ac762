"""Approves the requests of kubelets for the certificates with which they speak to the API."""
