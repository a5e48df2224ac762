"""One kubelet per node: brings Pods up, probes them, restarts them, takes them down."""
