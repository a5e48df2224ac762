"""Admission: what is added to an object, or refused, because of other objects and policies."""
