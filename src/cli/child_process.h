// A program that answers requests: lines to its standard input, lines from its standard output.
#pragma once
#include <cstdio>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/file_descriptor.h"

namespace kylin::cli {

class ChildProcess {
public:
    // `who` names it in errors. Its standard error is ours. Throws InputError, here and below.
    ChildProcess(std::string who, std::vector<std::string> arguments);
    ~ChildProcess();  // ends its input and waits for its end
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    void write_line(const std::string& line);
    std::string read_line();  // without its end
    void wait_for_output();   // until its first byte, which is dropped

private:
    struct CloseFile {
        void operator()(FILE* f) const { fclose(f); }
    };
    std::string who_;
    pid_t child_ = -1;
    FileDescriptor input_;
    std::unique_ptr<FILE, CloseFile> output_;
};

}  // namespace kylin::cli
