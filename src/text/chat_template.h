// Turns a conversation into the text that a model was trained on: by the Jinja template of its GGUF file, or by ChatML.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/file.h"
#include "text/tokenizer.h"

namespace kylin {

struct Conversation {
    using Json = nlohmann::ordered_json;  // templates write tools in the order they came
    Json messages = Json::array();        // objects with role and content, as in OpenAI's API
    Json tools;                           // an array, or null
    std::optional<bool> enable_thinking;  // absent: as the template likes
    bool add_generation_prompt = true;    // ends with the beginning of the assistant's turn
    Json variables = Json::object();      // more that the template may read
};

// Immutable; safe to use from any thread.
class ChatTemplate {
public:
    // The template of the file, or ChatML, for the reason that fallback_reason() gives.
    static ChatTemplate load(const gguf::File& file, const Tokenizer& tokenizer);
    // `bos` and `eos` are the texts of those tokens, which templates may write.
    ChatTemplate(std::string_view source, std::string bos, std::string eos);
    ChatTemplate(ChatTemplate&&) noexcept;
    ChatTemplate& operator=(ChatTemplate&&) noexcept;
    ~ChatTemplate();

    // For Tokenizer::encode. Only the template's own words are parsed for special tokens; whatever comes from the conversation stays
    // text, wherever the template puts it. Throws InputError for a conversation that the template refuses.
    std::vector<Segment> render(const Conversation& conversation) const;

    // Whether it reads the conversation's tools.
    bool knows_tools() const { return knows_tools_; }
    // Why ChatML stands in for the template given; empty when the template itself is used.
    const std::string& fallback_reason() const { return fallback_reason_; }

private:
    struct Program;
    std::unique_ptr<const Program> program_;
    std::string bos_, eos_, fallback_reason_;
    bool knows_tools_ = false;
};

}  // namespace kylin
