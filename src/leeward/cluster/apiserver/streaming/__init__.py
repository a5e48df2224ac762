"""Requests that become conversations (exec, attach, port-forward) or go on to Pods and Services."""
