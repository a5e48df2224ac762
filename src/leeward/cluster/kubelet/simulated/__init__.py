"""The simulated fleet: nodes and Pods that are states which follow stages, and no processes."""
