"""What clients see while a part of the stack fails."""
