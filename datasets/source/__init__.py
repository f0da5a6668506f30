"""Where data come from: the catalogue of known data sets, downloads, and what was stored before."""
