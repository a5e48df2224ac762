"""Removes Pods that no kubelet will ever finish."""
