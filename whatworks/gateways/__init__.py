"""Those who take money: the only code that speaks to them, through their own SDKs.

Each gateway turns what its provider says into `inbox.News`. Nothing here writes a row, and no
transaction is open while a provider is asked.
"""
