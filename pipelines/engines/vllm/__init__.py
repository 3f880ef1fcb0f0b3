"""A vLLM server of our own: started, watched, and ended with the run."""
