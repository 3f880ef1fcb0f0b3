"""What is generated of the documentation, and where its words stand."""
