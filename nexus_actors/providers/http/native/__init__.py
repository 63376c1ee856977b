"""A small HTTP/1.1 client on trio's sockets, with httptools' parser (llhttp, Node's own).

It sends a request and reads the response, over one kept-alive connection. Anything more (proxies,
HTTP/2) is left to httpx2.
"""
