"""What runs inside a cluster of EKS for everybody on it: plain Kubernetes objects, made of its spec."""
