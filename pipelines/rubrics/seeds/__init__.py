"""The seed library: one TOML file a rubric. See `pipelines.rubrics.library`."""
