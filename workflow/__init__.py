"""The library that Phasegate's rules and scripts share.

Five wings in the order in which the data walks: `plan` (what is asked), `work` (what is done), `proof` (what is
proved), `gate` (what is decided), `view` (what is seen). A wing imports from the wings before it and from the
ground (`files`, `globs`, `markup`, `errors`, `session`, `commands`), never back. `call` stands before them all: it settles what one
call of snakemake is about and hands the Snakefile what its rules need.
"""

__version__ = "0.1.0"
