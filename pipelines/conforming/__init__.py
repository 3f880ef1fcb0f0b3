"""The conformance kit: any reward, tried with hostile judgements and responses."""
