"""The scheduler's plugins, one a module; the catalog lists them."""
