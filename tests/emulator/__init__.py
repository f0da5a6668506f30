"""The emulator of Azure ML, with the unmodified SDK as its client and without."""
