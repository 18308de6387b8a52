"""The AWS half: moto as the control plane, what it lacks beside it, and controllers that make its state real."""
