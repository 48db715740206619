"""Small models of the same classes as the full ones, small enough to train here and to ship."""
