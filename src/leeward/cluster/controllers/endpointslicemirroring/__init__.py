"""Mirrors the Endpoints that people write into EndpointSlices."""
