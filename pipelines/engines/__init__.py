"""Who answers: any OpenAI-compatible endpoint, or the simulated engine. One `Completion` a `Request`."""
