"""The admission plugins, one a module, under upstream's names; ``catalog.py`` has their order."""
