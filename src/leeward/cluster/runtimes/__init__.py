"""Container runtimes behind two small protocols, as in CRI: process and simulated."""
