"""The protocols through which the components of the cluster meet: Store, Client, Cache."""
