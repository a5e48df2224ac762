"""Deletes Pods from nodes whose NoExecute taints they do not tolerate (any longer)."""
