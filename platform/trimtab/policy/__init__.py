"""The decisions of the loop, as pure functions of what is known."""
