"""What durability costs on a disk, beside those who promise the same."""
