"""A small HTTP/1.1 client on trio's sockets, with httptools' parser (llhttp, Node's own).

It knows one thing: to post and to read the answer, over one kept-alive connection. Everything that
is more than that (proxies, HTTP/2) is httpx2's.
"""
