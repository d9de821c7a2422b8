// The options of run and chat that concern the conversation, and the way from messages to tokens.
#pragma once
#include <CLI/CLI.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/session.h"

namespace kylin::cli {

struct ChatOptions {
    std::string system;
    std::optional<bool> think;  // absent: as the template has it
    void add_to(CLI::App& command);
};

// Says on stderr when ChatML stands in for the model's own template, and why.
void note_template(const Session& session);

struct Message {
    std::string role, content;
};

// The conversation as the model's template writes it, up to where the answer begins; the system message is put in front.
std::vector<int32_t> chat_tokens(const Session& session, const ChatOptions& options, std::span<const Message> messages);

}  // namespace kylin::cli
