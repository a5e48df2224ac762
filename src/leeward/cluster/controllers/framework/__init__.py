"""What a controller is, and how the manager runs one."""
