// What a server that has loaded its model gives up, so that whoever takes it over gains little: files, programs, connections of its own.
#pragma once

namespace kylin::server {

// From here on no thread of this process opens a file by name, changes the file system, starts a program or a process, or makes a socket:
// each such call fails with EPERM (seccomp, Linux). What is open stays open, and connections are still accepted. It cannot be undone.
// Throws std::system_error where the kernel refuses. Does nothing in builds with a sanitizer: its reports need such calls.
void enter_sandbox();

}  // namespace kylin::server
