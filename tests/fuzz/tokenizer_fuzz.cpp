// libFuzzer: a vocabulary with some bytes changed is refused with an InputError, or is one whose tokens give every text back.
// Input: pieces of 4 bytes, each an offset (3, little endian) and what to write there; then nothing.
#include "base/error.h"
#include "fuzz/require.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "text/vocabulary_file.h"

namespace {

const std::vector<std::byte>& sound_vocabulary() {
    static const std::vector<std::byte> bytes = [] {
        kylin::VocabularyFile source({"a b", "ab c", "d e", "abc de", "\xC4\xA0 a"}, {{"<t>", 3}, {"<u>", 4}, {"<0x41>", 6}});
        source.set("tokenizer.ggml.eos_token_id", uint32_t{261});
        source.set("tokenizer.ggml.add_bos_token", false);
        source.open();
        return source.bytes();
    }();
    return bytes;
}

void check(const kylin::Tokenizer& tokenizer) {
    using namespace kylin;
    for (const std::string_view text : {"abcde <t> \xFF\xC3\xA9", "dede abc<u>A", "a\nb  <0x41>"})
        for (const Special special : {Special::text, Special::parse}) {
            const auto ids = tokenizer.encode(text, special);
            for (const int32_t id : ids) require(id >= 0 && id < tokenizer.n_tokens(), "ids are tokens");
            const std::string back = tokenizer.decode(ids);
            require(back == to_valid_utf8(back), "decoded text is UTF-8");
        }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::vector<std::byte> bytes = sound_vocabulary();
    for (; size >= 4; data += 4, size -= 4)
        bytes[(data[0] | static_cast<size_t>(data[1]) << 8 | static_cast<size_t>(data[2]) << 16) % bytes.size()] = std::byte{data[3]};
    try {
        const kylin::gguf::File file = kylin::gguf::File::parse(bytes);
        check(kylin::Tokenizer::load(file));
    } catch (const kylin::InputError&) {
        return 0;
    }
    return 0;
}
