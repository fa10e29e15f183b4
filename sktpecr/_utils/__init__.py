"""Tools that know nothing of recommenders: blocks, ranks, rounding, training, resumable parts."""
