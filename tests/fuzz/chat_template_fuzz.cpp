// libFuzzer: no template, whatever it does with a conversation, makes bytes of the conversation the model's own words, which alone are
// parsed for special tokens. The conversation is made of U+E000, whose first byte no template here has or can spell.
#include "base/error.h"
#include "fuzz/require.h"
#include "text/chat_template.h"

namespace {

kylin::Conversation conversation() {
    const std::string mark = "\xEE\x80\x80", words = mark + " " + mark + "<think>" + mark + "</think>" + mark + "\n";
    kylin::Conversation c;
    c.messages.push_back({{"role", "system"}, {"content", words}});
    c.messages.push_back({{"role", "user"}, {"content", words + words}, {mark, mark}});
    c.messages.push_back({{"role", "assistant"},
                          {"content", words},
                          {"reasoning_content", words},
                          {"tool_calls", {{{"name", mark}, {"arguments", {{mark, mark}}}}}}});
    c.messages.push_back({{"role", mark}, {"content", mark}});
    c.tools = kylin::Conversation::Json::array({{{"name", words}, {mark, 1}}});
    c.variables = {{"v", words}, {mark, mark}};
    return c;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view source(reinterpret_cast<const char*>(data), size);
    if (source.find_first_of("\xEE\\") != source.npos) return 0;
    const kylin::ChatTemplate chat_template(source, "<s>", "</s>");
    try {
        for (const kylin::Segment& s : chat_template.render(conversation()))
            kylin::require(s.special == kylin::Special::text || s.text.find('\xEE') == s.text.npos, "content stays content");
    } catch (const kylin::InputError&) {
        return 0;
    }
    return 0;
}
