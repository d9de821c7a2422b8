// What a parsed file says: values of every type, tensors, typed reads and their errors.
#include "gguf/file.h"

#include <gtest/gtest.h>
#include <limits>

#include "base/error.h"
#include "gguf/header.h"
#include "gguf_bytes.h"

namespace kylin::gguf {
namespace {

using kylin::testing::GgufBytes;

struct Parsed {
    std::string bytes;
    File file;
    explicit Parsed(const GgufBytes& b) : bytes(b.text()), file(File::parse(kylin::testing::as_bytes(bytes), "m.gguf")) {}
};

std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const InputError& error) {
        return error.what();
    }
    return "no error";
}

TEST(File, ScalarsOfEveryType) {
    GgufBytes b;
    b.header(0, 12);
    b.entry("u8", ValueType::u8, uint8_t{200}).entry("i8", ValueType::i8, int8_t{-3});
    b.entry("u16", ValueType::u16, uint16_t{60000}).entry("i16", ValueType::i16, int16_t{-300});
    b.entry("u32", ValueType::u32, uint32_t{4000000000}).entry("i32", ValueType::i32, int32_t{-70000});
    b.entry("u64", ValueType::u64, uint64_t{1} << 40).entry("i64", ValueType::i64, -(int64_t{1} << 40));
    b.entry("f32", ValueType::f32, 0.5f).entry("f64", ValueType::f64, 0.1);
    b.entry("yes", ValueType::boolean, uint8_t{1});
    b.string("text").type(ValueType::string).string(std::string_view("a\0\xFF", 3));  // values may hold any bytes
    const Parsed p(b);
    EXPECT_EQ(p.file.find_int("u8"), 200);
    EXPECT_EQ(p.file.find_int("i8"), -3);
    EXPECT_EQ(p.file.find_int("u16"), 60000);
    EXPECT_EQ(p.file.find_int("i16"), -300);
    EXPECT_EQ(p.file.find_int("u32"), 4000000000);
    EXPECT_EQ(p.file.find_int("i32"), -70000);
    EXPECT_EQ(p.file.find_int("u64"), int64_t{1} << 40);
    EXPECT_EQ(p.file.find_int("i64"), -(int64_t{1} << 40));
    EXPECT_EQ(p.file.find_float("f32"), 0.5);
    EXPECT_EQ(p.file.find_float("f64"), 0.1);
    EXPECT_EQ(p.file.find_bool("yes"), true);
    EXPECT_EQ(*p.file.find_string("text"), std::string("a\0\xFF", 3));
    EXPECT_EQ(p.file.metadata()[0].offset, 24u);
    EXPECT_EQ(p.file.version(), 3u);
    EXPECT_EQ(p.file.size(), p.bytes.size());
}

TEST(File, ArraysOfEveryType) {
    GgufBytes b;
    b.header(0, 12);
    b.array("u8", ValueType::u8, 2).put(uint8_t{1}).put(uint8_t{255}).array("i8", ValueType::i8, 1).put(int8_t{-1});
    b.array("u16", ValueType::u16, 1).put(uint16_t{65535}).array("i16", ValueType::i16, 1).put(int16_t{-2});
    b.array("u32", ValueType::u32, 1).put(uint32_t{7}).array("i32", ValueType::i32, 1).put(int32_t{-7});
    b.array("u64", ValueType::u64, 1).put(uint64_t{8}).array("i64", ValueType::i64, 1).put(int64_t{-8});
    b.array("f32", ValueType::f32, 2).put(1.5f).put(-1.5f).array("f64", ValueType::f64, 1).put(0.1);
    b.array("bool", ValueType::boolean, 3).put(uint8_t{1}).put(uint8_t{0}).put(uint8_t{1});
    b.array("string", ValueType::string, 2).string("").string("xy");
    const Parsed p(b);
    EXPECT_EQ(p.file.find_ints("u8"), (std::vector<int64_t>{1, 255}));
    EXPECT_EQ(p.file.find_ints("i8"), std::vector<int64_t>{-1});
    EXPECT_EQ(p.file.find_ints("u16"), std::vector<int64_t>{65535});
    EXPECT_EQ(p.file.find_ints("i16"), std::vector<int64_t>{-2});
    EXPECT_EQ(p.file.find_ints("u32"), std::vector<int64_t>{7});
    EXPECT_EQ(p.file.find_ints("i32"), std::vector<int64_t>{-7});
    EXPECT_EQ(p.file.find_ints("u64"), std::vector<int64_t>{8});
    EXPECT_EQ(p.file.find_ints("i64"), std::vector<int64_t>{-8});
    EXPECT_EQ(p.file.find_floats("f32"), (std::vector<double>{1.5, -1.5}));
    EXPECT_EQ(p.file.find_floats("f64"), std::vector<double>{0.1});
    EXPECT_EQ(*p.file.find_strings("string"), (std::vector<std::string>{"", "xy"}));
    const auto& flags = std::get<Array>(*p.file.find("bool"));
    EXPECT_EQ(std::get<std::vector<bool>>(flags), (std::vector<bool>{true, false, true}));
    EXPECT_EQ(element_type_of(flags), ValueType::boolean);
    EXPECT_EQ(element_type_of(std::get<Array>(*p.file.find("f64"))), ValueType::f64);
    EXPECT_EQ(element_type_of(std::get<Array>(*p.file.find("string"))), ValueType::string);
    EXPECT_EQ(size_of(flags), 3u);
}

TEST(File, AbsentKeysAreAbsent) {
    const Parsed p(GgufBytes().header(0, 0));
    EXPECT_EQ(p.file.find("x"), nullptr);
    EXPECT_EQ(p.file.find_int("x"), std::nullopt);
    EXPECT_EQ(p.file.find_float("x"), std::nullopt);
    EXPECT_EQ(p.file.find_bool("x"), std::nullopt);
    EXPECT_EQ(p.file.find_string("x"), nullptr);
    EXPECT_EQ(p.file.find_strings("x"), nullptr);
    EXPECT_EQ(p.file.find_ints("x"), std::nullopt);
    EXPECT_EQ(p.file.find_floats("x"), std::nullopt);
    EXPECT_EQ(p.file.find_tensor("x"), nullptr);
}

TEST(File, AnotherTypeThanAskedForNamesKeyTypeAndOffset) {
    GgufBytes b;
    b.header(0, 3).entry("number", ValueType::u32, 1u);
    b.array("list", ValueType::f32, 1).put(1.0f);
    b.entry("large", ValueType::u64, std::numeric_limits<uint64_t>::max());
    const Parsed p(b);
    EXPECT_EQ(error_of([&] { p.file.find_string("number"); }), "m.gguf: number has type u32, a string is needed at offset 24");
    EXPECT_EQ(error_of([&] { p.file.find_bool("number"); }), "m.gguf: number has type u32, a bool is needed at offset 24");
    EXPECT_EQ(error_of([&] { p.file.find_float("number"); }),
              "m.gguf: number has type u32, a floating-point number is needed at offset 24");
    EXPECT_EQ(error_of([&] { p.file.find_strings("number"); }), "m.gguf: number has type u32, an array of strings is needed at offset 24");
    const std::string offset = " at offset " + std::to_string(24 + 8 + 6 + 4 + 4);
    EXPECT_EQ(error_of([&] { p.file.find_int("list"); }), "m.gguf: list has type array of f32, an integer is needed" + offset);
    EXPECT_EQ(error_of([&] { p.file.find_ints("list"); }), "m.gguf: list has type array of f32, an array of integers is needed" + offset);
    EXPECT_NE(error_of([&] { p.file.find_int("large"); }).find("large is 18446744073709551615, beyond a signed 64-bit integer"),
              std::string::npos);
}

// They are returned with 8 bytes an element, whatever they have in the file.
TEST(File, ArraysThatWouldTakeTooMuchToReturnAreRefused) {
    GgufBytes b;
    b.header(0, 2);
    b.array("flags", ValueType::u8, max_strings + 1).raw(std::string(max_strings + 1, '\0'));
    b.array("scores", ValueType::f32, max_strings + 1).raw(std::string((max_strings + 1) * 4, '\0'));
    const Parsed p(b);
    EXPECT_NE(error_of([&] { p.file.find_ints("flags"); }).find("flags has 1048577 elements, too many"), std::string::npos);
    EXPECT_NE(error_of([&] { p.file.find_floats("scores"); }).find("scores has 1048577 elements, too many"), std::string::npos);
}

TEST(File, TensorsHaveShapesAndRows) {
    GgufBytes b;
    b.header(2, 0).tensor("b", {32, 3}, 8, 0).tensor("a", {2, 3, 4, 5}, 0, 128);
    b.pad().data(128 + 480);
    const Parsed p(b);
    const Tensor& q = *p.file.find_tensor("b");
    EXPECT_EQ(q.type, BlockType::q8_0);
    EXPECT_EQ(q.n_dims, 2);
    EXPECT_EQ(q.width(), 32u);
    EXPECT_EQ(q.n_rows(), 3u);
    EXPECT_EQ(q.data.size(), 102u);
    EXPECT_EQ(q.row(2).data(), q.data.data() + 68);
    EXPECT_EQ(q.row(2).size(), 34u);
    EXPECT_EQ(q.offset % 32, 0u);
    EXPECT_EQ(q.data.data(), kylin::testing::as_bytes(p.bytes).data() + q.offset);
    const Tensor& f = *p.file.find_tensor("a");
    EXPECT_EQ(f.n_rows(), 60u);
    EXPECT_EQ(f.offset, q.offset + 128);
    EXPECT_EQ(p.file.tensors()[0].name, "b");  // in the file's order
}

TEST(File, Version2HasTheSameForm) {
    GgufBytes b;
    b.header(1, 1, 2).entry("k", ValueType::u32, 9u).tensor("t", {4}, 0, 0);
    const Parsed p(b.pad().data(16));
    EXPECT_EQ(p.file.version(), 2u);
    EXPECT_EQ(p.file.find_int("k"), 9);
    EXPECT_EQ(p.file.find_tensor("t")->data.size(), 16u);
}

TEST(File, TheAlignmentOfTheFileIsUsed) {
    GgufBytes b;
    b.header(2, 1).entry("general.alignment", ValueType::u32, 256u).tensor("a", {4}, 0, 0).tensor("b", {4}, 0, 256);
    const Parsed p(b.pad(256).data(256 + 16));
    EXPECT_EQ(p.file.find_tensor("a")->offset, 256u);
    EXPECT_EQ(p.file.find_tensor("b")->offset, 512u);
}

TEST(File, MovingKeepsTheViews) {
    GgufBytes b;
    b.header(1, 0).tensor("t", {4}, 0, 0);
    Parsed p(b.pad().data(16));
    const std::byte* data = p.file.tensors()[0].data.data();
    const File moved = std::move(p.file);
    EXPECT_EQ(moved.find_tensor("t")->data.data(), data);
}

}  // namespace
}  // namespace kylin::gguf
