"""Notices lost nodes, taints them and takes their Pods out of rotation."""
