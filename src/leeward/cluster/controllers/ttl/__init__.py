"""Tells kubelets by annotation how long they may trust what they have read."""
