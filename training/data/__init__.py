"""Games become a token store: read, filtered, counted, packed and written back."""
