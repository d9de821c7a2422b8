// libFuzzer: any text is given back by its tokens, however it is cut into segments and its tokens into pieces of a stream; no text becomes
// a special token unless that is asked for. Input: a byte that says where the text is cut, and the text.
#include "fuzz/require.h"
#include "text/text_stream.h"
#include "text/tokenizer.h"
#include "text/unicode.h"
#include "text/vocabulary_file.h"

namespace {

using namespace kylin;

struct Tokenizers {
    VocabularyFile source{{"a b", "ab c", "d e", "abc de", "\xC4\xA0 a",
                           "\xC4\xA0"
                           "a b",
                           "\xC4\x8A \xC4\x8A", "\xC3\x83 \xC2\xA9"},
                          {{"<t>", 3}, {"<user>", 4}, {"<|im_end|>", 3}}};
    gguf::File file = source.open();
    Tokenizer composing = Tokenizer::load(file, Normalization::nfc), plain = Tokenizer::load(file, Normalization::none);
};

std::string streamed(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
    TextStream stream;
    std::string text;
    for (const int32_t id : ids) {
        const std::string piece = stream.push(tokenizer.bytes(id));
        require(piece == to_valid_utf8(piece), "a stream shows whole characters");
        text += piece;
    }
    return text + stream.flush();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Tokenizers vocabulary;
    if (size == 0) return 0;
    const std::string text(reinterpret_cast<const char*>(data + 1), size - 1), valid = to_valid_utf8(text);
    const auto ids = vocabulary.plain.encode(text, Special::text);
    for (const int32_t id : ids) require(!vocabulary.plain.is_special(id), "text stays text");
    require(vocabulary.plain.decode(ids) == valid, "tokens give the text back");
    require(streamed(vocabulary.plain, ids) == valid, "a stream of tokens gives the text back");
    const std::vector<Segment> parts = {{valid.substr(0, data[0] % (valid.size() + 1)), Special::text},
                                        {valid.substr(data[0] % (valid.size() + 1)), Special::text}};
    if (to_valid_utf8(parts[0].text) == parts[0].text) require(vocabulary.plain.encode(parts) == ids, "segments are one text");
    require(vocabulary.plain.decode(vocabulary.plain.encode(text, Special::parse)) == valid, "special tokens are spelled out");
    require(vocabulary.composing.decode(vocabulary.composing.encode(text, Special::text)) == nfc(valid), "the rest is composed");
    return 0;
}
