"""What a notebook's cell may use: small, public, typed, and the same for both clouds."""
