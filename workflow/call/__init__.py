"""One call of snakemake: its opening, what works again, its end."""
