//! Sockets. In this version: socket pairs and AF_UNIX, inside the process.
