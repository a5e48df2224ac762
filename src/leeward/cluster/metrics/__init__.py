"""What Pods use, measured when somebody asks: the part of metrics-server in this process."""
