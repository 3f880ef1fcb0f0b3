"""Who watches a run: counts, displays, the event log, and the signals that end it. No Prefect here."""
