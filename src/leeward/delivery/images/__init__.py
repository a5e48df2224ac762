"""Images of a project, pinned by digest: asked of registries, or built and pushed."""
