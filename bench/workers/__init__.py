"""One module or package for each peer, with what `bench.protocol.Worker` says."""
