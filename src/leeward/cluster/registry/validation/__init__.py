"""The rules of built-in kinds, with the messages of Kubernetes."""
