// llama.cpp's known answers for the qwen2 vocabulary: texts in .inp, one line of ids for each in .out.
#include <fstream>
#include <sstream>

#include "qwen2_vocabulary.h"
#include "text/tokenizer.h"

namespace kylin {
namespace {

struct GoldenCase {
    std::string text;
    std::vector<int32_t> ids;
};

std::vector<GoldenCase> read_cases() {
    const auto contents = [](const std::string& path) {
        std::ostringstream out;
        out << std::ifstream(path, std::ios::binary).rdbuf();
        return out.str();
    };
    constexpr std::string_view separator = "\n__ggml_vocab_test__\n";
    const std::string texts = contents(qwen2_vocabulary + ".inp");
    std::istringstream lines(contents(qwen2_vocabulary + ".out"));
    std::vector<GoldenCase> cases;
    for (size_t begin = 0;;) {
        const size_t end = texts.find(separator, begin);
        if (end == std::string::npos) return cases;  // what follows the last separator is no case
        GoldenCase next{texts.substr(begin, end - begin), {}};
        std::string line;
        std::getline(lines, line);
        std::istringstream ids(line);
        for (int32_t id = 0; ids >> id;) next.ids.push_back(id);
        cases.push_back(next);
        begin = end + separator.size();
    }
}

TEST(Golden, EveryQwen2CaseOfLlamaCpp) {
    SKIP_WITHOUT_QWEN2_VOCABULARY();
    const gguf::File file = gguf::File::open(qwen2_vocabulary);
    const auto cases = read_cases();
    ASSERT_EQ(cases.size(), 46u);
    for (const Normalization normalization : {Normalization::nfc, Normalization::none}) {
        const Tokenizer tokenizer = Tokenizer::load(file, normalization);
        for (const GoldenCase& golden : cases) {
            EXPECT_EQ(tokenizer.encode(golden.text, Special::text), golden.ids) << golden.text;
            EXPECT_EQ(tokenizer.decode(golden.ids), golden.text);
        }
    }
}

TEST(Golden, SpecialTokensOfQwen2) {
    SKIP_WITHOUT_QWEN2_VOCABULARY();
    const Tokenizer tokenizer = Tokenizer::load(gguf::File::open(qwen2_vocabulary));
    EXPECT_EQ(tokenizer.n_tokens(), 151936);
    EXPECT_EQ(tokenizer.encode("<|im_start|>", Special::parse), (std::vector<int32_t>{151644}));
    EXPECT_GT(tokenizer.encode("<|im_start|>", Special::text).size(), 1u);
    EXPECT_TRUE(tokenizer.ends_generation(*tokenizer.find("<|im_end|>")));
    EXPECT_TRUE(tokenizer.ends_generation(*tokenizer.find("<|endoftext|>")));
    EXPECT_FALSE(tokenizer.adds_bos());
}

}  // namespace
}  // namespace kylin
