"""Where data come from: the catalogue of known data sets, downloads, and the cache."""
