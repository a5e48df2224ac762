"""What a client is told about an object that is accepted but not what it may seem."""
