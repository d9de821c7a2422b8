// Texts that make other tokenizers recurse or take quadratic time.
#include <algorithm>
#include <ctime>
#include <gtest/gtest.h>

#include "qwen2_vocabulary.h"
#include "text/tokenizer.h"

namespace kylin {
namespace {

constexpr size_t mebibyte = size_t{1} << 20;

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::string repeated(std::string_view unit, size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += unit;
    return text;
}

class LinearTime : public testing::Test {
protected:
    static void SetUpTestSuite() {
        if (std::filesystem::exists(qwen2_vocabulary))
            tokenizer_ = std::make_unique<Tokenizer>(Tokenizer::load(gguf::File::open(qwen2_vocabulary)));
    }
    static void TearDownTestSuite() { tokenizer_.reset(); }

    // Of this thread's processor time, which other programs add little to; the lesser of two runs.
    static double seconds(const std::string& text) {
        double best = 1e9;
        for (int i = 0; i < 2; ++i) {
            const double start = thread_seconds();
            const auto ids = tokenizer_->encode(text, Special::text);
            best = std::min(best, thread_seconds() - start);
            EXPECT_EQ(tokenizer_->decode(ids), text);
        }
        return best;
    }
    // Twice the text takes twice the time when linear, a little more for n log n and for caches left behind, and four times when
    // quadratic; a quadratic merge would also take hours for 1 MB.
    static void expect_linear(std::string_view unit) {
        const double once = seconds(repeated(unit, mebibyte)), twice = seconds(repeated(unit, 2 * mebibyte));
        RecordProperty("seconds_per_mebibyte", std::to_string(once));
        EXPECT_LT(twice, 3.5 * once + 0.01) << "1 MiB: " << once << " s, 2 MiB: " << twice << " s";
        EXPECT_LT(once, 2.0);  // measured: 0.02 to 0.4 s; the rest is for slower machines
    }

    static inline std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(LinearTime, OneLetter) {
    SKIP_WITHOUT_QWEN2_VOCABULARY();
    expect_linear("a");
    expect_linear("A");
}
TEST_F(LinearTime, Newlines) {
    SKIP_WITHOUT_QWEN2_VOCABULARY();
    expect_linear("\n");
}
TEST_F(LinearTime, Spaces) {
    SKIP_WITHOUT_QWEN2_VOCABULARY();
    expect_linear(" ");
}
TEST_F(LinearTime, Chinese) {
    SKIP_WITHOUT_QWEN2_VOCABULARY();
    expect_linear("你");
    expect_linear("麒麟是一个推理引擎");
}
TEST_F(LinearTime, Digits) {
    SKIP_WITHOUT_QWEN2_VOCABULARY();
    expect_linear("7");
}
TEST_F(LinearTime, Signs) {
    SKIP_WITHOUT_QWEN2_VOCABULARY();
    expect_linear("!");
    expect_linear("<|im_");
}

// Marks of falling class: an insertion sort would take n²/4 steps, 10^10 here.
TEST_F(LinearTime, CombiningMarksInTheWorstOrder) {
    SKIP_WITHOUT_QWEN2_VOCABULARY();
    const std::string text = "a" + repeated("\u0315", 200'000) + repeated("\u0301", 200'000);
    const double start = thread_seconds();
    const auto ids = tokenizer_->encode(text, Special::text);
    EXPECT_LT(thread_seconds() - start, 2.0);  // measured: 0.1 s
    EXPECT_EQ(tokenizer_->decode(ids), "á" + repeated("\u0301", 199'998) + repeated("\u0315", 200'000));
}

}  // namespace
}  // namespace kylin
