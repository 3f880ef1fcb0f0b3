"""Endpoints that answer at once: a request over HTTP, its limits and its retries."""
