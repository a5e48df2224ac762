"""What objects count for against a ResourceQuota; admission and the quota controller agree by it."""
