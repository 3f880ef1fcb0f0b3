"""What lies on disk: root, tables, stages, journal, generations, imports, batch_jobs, run_events, snapshots."""
