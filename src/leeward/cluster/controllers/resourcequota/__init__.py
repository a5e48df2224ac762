"""The resource quota controller: what the objects of a namespace use of its quotas."""
