"""One module per concern; each offers a ``DESCRIPTOR`` that ``render.catalog`` lists."""
