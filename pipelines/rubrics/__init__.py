"""The rubrics of a root and what is found among them: seeds, embedding, library, retrieval."""
