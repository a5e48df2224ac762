"""What a person types, one module per verb; the only place that prints, exits or reads the environment."""
