"""What is done: trees, sandbox, processes, journal, agents, integration."""
