"""Replays recorded timelines of a real kube-controller-manager in virtual time."""
