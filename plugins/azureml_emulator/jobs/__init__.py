"""Jobs as the emulator runs them: processes on this machine."""
