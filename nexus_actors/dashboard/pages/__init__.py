"""One module a page, as the navigation has them."""
