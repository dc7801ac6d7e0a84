"""Models that are no files: those in this process's memory, and those that a framework builds in a child process.

Imports no framework. What is in memory is recognised by its types' names and read through the framework that the
caller has imported already; everything that has to be built or run is built and run by `wtui.live.child`, a process
of its own that sees no GPU unless it is told to.
"""
