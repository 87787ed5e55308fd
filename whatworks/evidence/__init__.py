"""What people's runs add up to, what is believed of it, and what of that the public sees."""
