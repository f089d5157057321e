"""Jobs as forks: a process that has the imports done forks once for each job, since they take longer than most jobs do.

    snakemake ---> server (imports, then waits) ---> job, a fork: the script of scripts/ with its own folder, variables and streams
        \\--- shell ---> client ------ socket ------/

The client asks for a job, waits for its end and ends with its exit code; where nobody answers (a cluster's node, macOS, a server
that was killed) it becomes the script itself. So the same command line works everywhere, and by hand.

What has to end, ends: the job gets TERM when its client is told to stop or is gone (the server sees the connection close), when
snakemake is gone (the server gets TERM, or sees its pipe close, and passes TERM on), and when the server is gone (`PR_SET_PDEATHSIG`).

The socket has a name in Linux's abstract namespace, so that it leaves no file behind. A sandbox without a network of its own
can see it; who asks must have the same user, and the token that stands in the environment of snakemake and its jobs only,
which no sandbox shows (`sandbox.environment`).

    request   4 bytes: length of the rest, big-endian; then, each ended by NUL: token, folder, number of words, words (the first is the
              script), variables as NAME=value. The three streams come with the first byte (`SCM_RIGHTS`).
    answer    `begun` once the token was found right, then the exit code, a line each
"""

ADDRESS = "PHASEGATE_FORKS"  # name of the socket and token, with a colon between them
