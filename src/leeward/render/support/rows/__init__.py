"""The rows, a module for each part of the specification; ``levels`` says how a line is read."""
