"""What everything else stands on: time, errors, diagnostics, ids, registries. Standard library only."""
