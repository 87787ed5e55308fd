"""What may be bought, and what a purchase opens."""
