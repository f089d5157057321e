"""What is asked: command line, settings, intake, phases, briefs."""
