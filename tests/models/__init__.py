"""A scripted model on loopback, in the dialects that coding agents speak.

`scripts.py` says what the model does, turn by turn; `tools.py` puts that in terms of the tools that a client offers;
`chat.py`, `responses.py`, `messages.py` and `gemini.py` are the wire formats; `server.py` answers requests and counts
them. `install_clis.py` installs the real command-line agents that tests drive against it.
"""
