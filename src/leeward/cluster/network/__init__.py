"""Names, Service addresses and the way in: cluster DNS, the Service proxy, the ingress."""
