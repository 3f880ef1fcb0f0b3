"""The loop closed: a small real model is warmed up, judges, learns from its accepted judgements, and is measured."""
