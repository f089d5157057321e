"""Attacks on the gate, each with its test: what forgers, replays, thieves of keys and chance do to the files of a run."""
