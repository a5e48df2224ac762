"""A small process that forks, isolates and watches containers on behalf of the cluster's process.

It is single-threaded and imports little, so that forking is quick and safe, and it is the parent of
every container: when it dies, or the cluster's process does, the kernel kills them all. Standard
library only; it imports nothing of leeward but this package.
"""
