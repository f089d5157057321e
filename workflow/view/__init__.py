"""What is seen: state, summary, tables, terminal."""
