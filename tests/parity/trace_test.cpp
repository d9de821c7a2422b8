#include "parity/trace.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <gtest/gtest.h>
#include <stdexcept>
#include <sys/stat.h>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "parity/rows.h"

namespace kylin::parity {
namespace {

const TraceAbout about{.engine = "test", .numerics = "none", .tokens = {5, 6, 7}, .n_prompt = 2};

TEST(Trace, HoldsWhatWasWrittenAndZeroElsewhere) {
    for (const TraceElement element : {TraceElement::f32, TraceElement::f64}) {
        const TemporaryFolder folder("kylin-test");
        const auto path = folder.path() / "t.safetensors";
        TraceWriter writer(path, element, header_room(2, 3));
        const std::vector<double> row = {1.5, -2, 0.1};
        writer.write("logits", {3, 3}, 3, row);
        writer.write("embedding", {3, 1}, 0, std::vector<double>{1, 2, 3});
        EXPECT_FALSE(std::filesystem::exists(path));
        writer.finish(about);
        const TraceReader reader = TraceReader::open(path);
        EXPECT_EQ(reader.about().tokens, about.tokens);
        EXPECT_EQ(reader.about().n_prompt, 2);
        const TraceTensor* logits = reader.find("logits");
        ASSERT_TRUE(logits);
        EXPECT_EQ(logits->shape, (std::vector<size_t>{3, 3}));
        std::vector<double> read(6);
        reader.read(*logits, 0, read);
        const double tenth = element == TraceElement::f32 ? static_cast<double>(0.1f) : 0.1;
        EXPECT_EQ(read, (std::vector<double>{0, 0, 0, 1.5, -2, tenth}));
        EXPECT_EQ(reader.find("q_rope.0"), nullptr);
    }
}

TEST(Trace, AHeaderThatOutgrowsItsRoomIsAMistakeNotAFile) {
    const TemporaryFolder folder("kylin-test");
    TraceWriter writer(folder.path() / "t.safetensors", TraceElement::f32, 64);
    writer.write("logits", {3, 1}, 0, std::vector<double>{1, 2, 3});
    EXPECT_THROW(writer.finish(about), std::length_error);
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "t.safetensors"));
}

std::string refusal(const std::filesystem::path& path) {
    try {
        TraceReader::open(path);
    } catch (const InputError& e) {
        return e.what();
    }
    return "accepted";
}

// A file of `length`, this text and as many zeros as are missing to n_bytes.
std::filesystem::path write_file(const std::filesystem::path& path, uint64_t length, const std::string& text, uint64_t n_bytes) {
    {
        std::ofstream out(path, std::ios::binary);
        out.write(reinterpret_cast<const char*>(&length), 8) << text;
    }
    std::filesystem::resize_file(path, n_bytes);
    return path;
}

// A file of this header and eight bytes of data.
std::string refusal(const std::string& metadata, const std::string& tensor, const std::string& format = "kylin.trace/1") {
    const TemporaryFolder folder("kylin-test");
    const std::string text = R"({"__metadata__": {"format": ")" + format + R"(", )" + metadata + R"(}, "x": )" + tensor + "}";
    return refusal(write_file(folder.path() / "t.safetensors", text.size(), text, text.size() + 16));
}

TEST(Trace, RefusesFilesThatAreNoTraces) {
    const TemporaryFolder folder("kylin-test");
    const auto path = folder.path() / "t.safetensors", pipe = folder.path() / "pipe";
    EXPECT_NE(refusal(path).find("cannot be opened: No such file"), std::string::npos);
    EXPECT_NE(refusal(folder.path()).find("not a regular file"), std::string::npos);
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_NE(refusal(pipe).find("not a regular file"), std::string::npos);  // and does not wait for who writes to it
    EXPECT_NE(refusal(write_file(path, 1, "", 7)).find("too short for a safetensors file"), std::string::npos);
    EXPECT_NE(refusal(write_file(path, 3, "{}", 10)).find("header longer than the file"), std::string::npos);
    EXPECT_NE(refusal(write_file(path, UINT64_MAX, "{}", 10)).find("header longer than the file"), std::string::npos);
    constexpr uint64_t limit = uint64_t{100} << 20;  // of safetensors; the file is sparse
    EXPECT_NE(refusal(write_file(path, limit + 1, "{}", limit + 9)).find("header longer than the file"), std::string::npos);
    EXPECT_NE(refusal(write_file(path, 2, "{,", 10)).find("header is not JSON at offset 9"), std::string::npos);
    EXPECT_NE(refusal(write_file(path, 2, "{}", 10)).find("header is not that of a trace"), std::string::npos);
}

TEST(Trace, RefusesAHeaderThatDoesNotFitAndSaysWhy) {
    const std::string metadata = R"("tokens": "[1, 2]", "n_prompt": "2", "rows.x": "[0, 1]")";
    const std::string tensor = R"({"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]})";
    EXPECT_EQ(refusal(metadata, tensor), "accepted");
    EXPECT_NE(refusal(metadata, tensor, "kylin.trace/2").find("metadata format is not kylin.trace/1"), std::string::npos);
    const auto with = [](std::string text, const std::string& old, const std::string& now) {
        return text.replace(text.find(old), old.size(), now);
    };
    const std::string integer = "header has something else where an integer of 32 bits belongs";
    const std::string size = "header has something else where an integer of 64 bits belongs";
    for (const auto& [old, now, reason] : std::vector<std::array<std::string, 3>>{
             {"[1, 2]", "[1, 2e30]", integer},
             {"[1, 2]", "[1, 2147483648]", integer},
             {"[1, 2]", "[1, -2147483649]", integer},
             {"[1, 2]", "[1, true]", integer},
             {"[1, 2]", "7", "header has something else where a list of integers belongs"},
             {"[1, 2]", "[1, 2", "header is not JSON"},
             {R"("tokens")", R"("token")", "header is not that of a trace"},
             {R"("2")", R"("3")", "n_prompt does not fit the tokens"},
             {R"("2")", R"("0")", "n_prompt does not fit the tokens"},
             {R"("2")", R"("2e0")", size},
             {"[0, 1]", "[1, 0]", "rows.x does not fit its tensor"},
             {"[0, 1]", "[0, 2]", "rows.x does not fit its tensor"},
             {"[0, 1]", "[-1, 0]", "rows.x does not fit its tensor"},
             {"[0, 1]", "[0]", "rows.x does not fit its tensor"},
             {"[0, 1]", "[0, 1e99]", integer},
         })
        EXPECT_NE(refusal(with(metadata, old, now), tensor).find(reason), std::string::npos)
            << now << ": " << refusal(with(metadata, old, now), tensor);
    for (const auto& [old, now, reason] : std::vector<std::array<std::string, 3>>{
             {"F32", "I8", "tensor x has dtype I8"},
             {"[2, 1]", "[2, 1e0]", size},
             {"[2, 1]", "[2, 18446744073709551615]", "tensor x has more values than the file has bytes"},
             {"[2, 1]", "[1, 1]", "tensor x has offsets that do not fit"},
             {"[0, 8]", "[8, 0]", "tensor x has offsets that do not fit"},
             {"[0, 8]", "[8, 16]", "tensor x has offsets that do not fit"},
             {"[0, 8]", "[-8, 0]", size},
             {"[0, 8]", "[0, 8e0]", size},
             {"[0, 8]", "[0]", "header is not that of a trace"},
             {"[2, 1]", "[]", "tensor x has offsets that do not fit"},
         })
        EXPECT_NE(refusal(metadata, with(tensor, old, now)).find(reason), std::string::npos)
            << now << ": " << refusal(metadata, with(tensor, old, now));
    const std::string number = R"({"dtype": "F64", "shape": [], "data_offsets": [0, 8]})";
    EXPECT_NE(refusal(with(metadata, "[0, 1]", "[0]"), number).find("rows.x does not fit its tensor"), std::string::npos);
}

TEST(Trace, AFileCutShortWhileItIsReadIsAnError) {
    const TemporaryFolder folder("kylin-test");
    const auto path = folder.path() / "t.safetensors";
    TraceWriter writer(path, TraceElement::f32, header_room(1, 3));
    writer.write("logits", {3, 1}, 0, std::vector<double>{1, 2, 3});
    writer.finish(about);
    const TraceReader reader = TraceReader::open(path);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 4);
    std::vector<double> read(3);
    EXPECT_THROW(reader.read(*reader.find("logits"), 0, read), InputError);
}

TEST(Rows, AStepsValuesLieWhereTheRunHasThem) {
    const RunShape run{.n_tokens = 5, .attention = {.n_head = 2, .n_head_kv = 1, .head_dim = 4, .scale = 0.5}};
    // Two rows at token 2 of five: scores of two heads, four keys so far.
    std::vector<double> scores(2 * 2 * 4);
    const auto squares = segments_of({Stage::attn_scores, 1, 4, 4, scores}, 2, run);
    ASSERT_EQ(squares.size(), 4u);
    EXPECT_EQ(squares[3].token, 3);
    EXPECT_EQ(squares[3].head, 1);
    EXPECT_EQ(squares[3].first, size_t{(1 * 5 + 3) * 5});
    EXPECT_EQ(squares[3].values.data(), scores.data() + 12);
    std::vector<double> values(2 * 8);
    const auto rows = segments_of({Stage::q_rope, 1, 2, 8, values}, 2, run);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[1].token, 3);
    EXPECT_EQ(rows[1].first, size_t{3 * 8});
}

TEST(Rows, EveryStageButTheEmbeddingHasInputsThatComeBeforeIt) {
    const auto order = pass_order(3);
    std::vector<std::string> before;
    for (const Place& at : order) {
        const auto inputs = inputs_of(at, 3);
        EXPECT_EQ(inputs.empty(), at.stage == Stage::embedding);
        for (const Place& input : inputs)
            EXPECT_NE(std::ranges::find(before, trace_name(input)), before.end()) << trace_name(at) << " needs " << trace_name(input);
        before.push_back(trace_name(at));
    }
    EXPECT_EQ(before.size(), 3 * (n_stages - 3) + 3);
}

}  // namespace
}  // namespace kylin::parity
