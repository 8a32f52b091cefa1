"""One way to a socket: names, connections, TLS, certificates, pings, HTTP. It knows no probe."""
