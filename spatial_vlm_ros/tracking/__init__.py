"""Which pixels are which thing, image after image."""
