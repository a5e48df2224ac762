"""The controllers, each an island: a pure plan and a thin loop that carries it out."""
