"""Stages: build walks sources, curation, engines, grm, training_sets, reporting; planning, probe, doctor beside."""
