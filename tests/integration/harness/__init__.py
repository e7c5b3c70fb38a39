"""What the integration tests stand on: processes, ports, certificates, the stand-in of the
OpenShift router, the two programs that talk, and the pair between them."""
