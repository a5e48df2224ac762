"""The columns of ``kubectl get``: one module per API group, listed in the catalog."""
