"""The fault harness: what a run survives, shown as Jepsen does, by an event history and a checker over it.

worker.py      the fake agent: appends events, works a little, leaves children and daemons behind
history.py     the events, and how they are read
census.py      which processes of a campaign are alive, found by what they carry in their environment
points.py      where in an agent's story a kill landed, read from the journal
shots.py       one kill: what is hit, and when
campaign.py    a lane of runs under fire, several lanes side by side
checker.py     what must hold over history and journal
packages.py    what must hold of a delivered run: bundles, leftovers
terminal.py    Ctrl-C and hang-up on a real terminal
starts.py      many starts at once in one folder
disk.py        a full disk
output.py      an agent that prints without end
places.py      folders, programs and clocks that are not as they should be
table.py       the goals and the figures that were reached
"""
