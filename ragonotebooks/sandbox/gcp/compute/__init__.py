"""What the network part of Compute Engine is made of: names, address ranges, firewall rules, and who reaches whom."""
