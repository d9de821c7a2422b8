// The terminal of an interactive command: lines with editing and history, and Ctrl-C as a question instead of an end.
#pragma once
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace kylin::cli {

// While it lives, Ctrl-C only sets a flag. At most one at a time: signals belong to the process.
class Interrupts {
public:
    Interrupts();
    ~Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;
    bool take();  // whether Ctrl-C came since the last call

private:
    struct sigaction before_;
};

// $XDG_STATE_HOME/kylin/history, or ~/.local/state/kylin/history; empty when there is no home.
std::filesystem::path history_path();

// Reads lines from stdin: with libedit on a terminal, plainly elsewhere.
class LineReader {
public:
    LineReader(std::string prompt, std::filesystem::path history);
    ~LineReader();

    // discarded: Ctrl-C, and something was typed; interrupted: Ctrl-C on an empty line.
    enum class Result { line, discarded, interrupted, end };
    Result read(std::string& line);  // without its line end; pasted text keeps the line ends within

private:
    struct Editor;
    std::unique_ptr<Editor> editor_;  // absent when stdin is no terminal
};

// Writes at once. False when the reader has gone away; throws InputError when the bytes cannot be written for another reason.
bool write_stdout(std::string_view text);

}  // namespace kylin::cli
