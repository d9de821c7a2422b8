#include "cli/chat_options.h"

#include <cstdio>

namespace kylin::cli {

void ChatOptions::add_to(CLI::App& command) {
    constexpr const char* group = "Conversation";
    command.add_option("--system", system, "System message")->group(group);
    CLI::Option* on = command
                          .add_flag_callback(
                              "--think", [this] { think = true; }, "Let the model think before it answers")
                          ->group(group);
    command
        .add_flag_callback(
            "--no-think", [this] { think = false; }, "Answer at once")
        ->group(group)
        ->excludes(on);
}

void note_template(const Session& session) {
    const std::string& reason = session.chat_template.fallback_reason();
    if (!reason.empty()) std::fprintf(stderr, "note: the ChatML template is used: %s\n", reason.c_str());
}

std::vector<int32_t> chat_tokens(const Session& session, const ChatOptions& options, std::span<const Message> messages) {
    Conversation conversation;
    conversation.enable_thinking = options.think;
    const auto add = [&](const Message& m) { conversation.messages.push_back({{"role", m.role}, {"content", m.content}}); };
    if (!options.system.empty()) add({"system", options.system});
    for (const Message& message : messages) add(message);
    return session.tokenizer.encode(session.chat_template.render(conversation));
}

}  // namespace kylin::cli
