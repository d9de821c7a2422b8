// What the writer writes, the parser reads back; by hand for the layout, by random files for everything.
#include "gguf/writer.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <stdexcept>

#include "gguf_bytes.h"

namespace kylin::gguf {
namespace {

using kylin::testing::GgufBytes;

std::string text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

TEST(Writer, BytesAsTheGrammarSays) {
    const std::vector<Entry> metadata = {
        {"n", uint32_t{7}}, {"list", Array(std::vector<std::string>{"a", ""})}, {"flags", Array(std::vector<bool>{true})}};
    const std::vector<TensorInfo> tensors = {{"q", BlockType::q8_0, {32, 2, 1, 1}, 2}, {"f", BlockType::f32, {3, 1, 1, 1}, 1}};
    GgufBytes expected;
    expected.header(2, 3).entry("n", ValueType::u32, 7u).array("list", ValueType::string, 2).string("a").string("");
    expected.array("flags", ValueType::boolean, 1).put(uint8_t{1});
    expected.tensor("q", {32, 2}, 8, 0).tensor("f", {3}, 0, 96).pad();
    EXPECT_EQ(text_of(header_bytes(metadata, tensors)), expected.text());

    std::string written;
    Writer writer([&](auto bytes) { written += text_of(bytes); }, metadata, tensors);
    const std::string q(68, 'q'), f(12, 'f');
    writer.write(kylin::testing::as_bytes(q + f.substr(0, 5)));  // a piece may end anywhere
    writer.write(kylin::testing::as_bytes(f.substr(5)));
    writer.finish();
    EXPECT_EQ(written, expected.raw(q).pad().raw(f).pad().text());
}

TEST(Writer, HoldsToTheAlignmentOfTheMetadata) {
    const std::vector<Entry> metadata = {{"general.alignment", uint32_t{128}}};
    const std::vector<TensorInfo> tensors = {{"a", BlockType::f32, {1, 1, 1, 1}, 1}, {"b", BlockType::f32, {1, 1, 1, 1}, 1}};
    std::string written;
    Writer writer([&](auto bytes) { written += text_of(bytes); }, metadata, tensors);
    writer.write(kylin::testing::as_bytes("aaaabbbb"));
    writer.finish();
    const File file = File::parse(kylin::testing::as_bytes(written));
    EXPECT_EQ(file.find_tensor("a")->offset % 128, 0u);
    EXPECT_EQ(file.find_tensor("b")->offset, file.find_tensor("a")->offset + 128);
    EXPECT_EQ(text_of(file.find_tensor("b")->data), "bbbb");
}

TEST(Writer, DataMustBeAsMuchAsTheHeaderSays) {
    const std::vector<TensorInfo> tensors = {{"a", BlockType::f32, {2, 1, 1, 1}, 1}};
    const auto ignore = [](std::span<const std::byte>) {};
    Writer less(ignore, {}, tensors);
    less.write(kylin::testing::as_bytes("1234567"));
    EXPECT_THROW(less.finish(), std::logic_error);
    Writer more(ignore, {}, tensors);
    EXPECT_THROW(more.write(kylin::testing::as_bytes("123456789")), std::logic_error);
}

template <class T>
Value any_value(bool array) {
    if (array) return Array(*rc::gen::arbitrary<std::vector<T>>());
    return *rc::gen::arbitrary<T>();
}

Value random_value(size_t kind, bool array) {
    switch (kind) {
        case 0:
            return any_value<uint8_t>(array);
        case 1:
            return any_value<int8_t>(array);
        case 2:
            return any_value<uint16_t>(array);
        case 3:
            return any_value<int16_t>(array);
        case 4:
            return any_value<uint32_t>(array);
        case 5:
            return any_value<int32_t>(array);
        case 6:
            return any_value<float>(array);
        case 7:
            return any_value<bool>(array);
        case 8:
            return any_value<uint64_t>(array);
        case 9:
            return any_value<int64_t>(array);
        case 10:
            return any_value<double>(array);
        default:
            return any_value<std::string>(array);
    }
}

TEST(Writer, AnyFileComesBack) {
    EXPECT_TRUE(rc::check("write, then parse", [] {
        std::vector<Entry> metadata;
        const auto n_entries = *rc::gen::inRange<size_t>(0, 8);
        for (size_t i = 0; i < n_entries; ++i)
            metadata.push_back({"key." + std::to_string(i), random_value(*rc::gen::inRange<size_t>(0, 12), *rc::gen::arbitrary<bool>())});
        std::vector<TensorInfo> tensors;
        std::string data;
        const auto n_tensors = *rc::gen::inRange<size_t>(0, 5);
        for (size_t i = 0; i < n_tensors; ++i) {
            const BlockTypeInfo type = block_type_table[*rc::gen::inRange<size_t>(0, block_type_table.size())];
            const uint64_t width = type.values * *rc::gen::inRange<uint64_t>(1, 4), rows = *rc::gen::inRange<uint64_t>(1, 4);
            tensors.push_back({"tensor." + std::to_string(i), type.type, {width, rows, 1, 1}, 2});
            data += std::string(tensors.back().bytes(), static_cast<char>('a' + i));
        }

        std::string written;
        Writer writer([&](auto bytes) { written += text_of(bytes); }, metadata, tensors);
        writer.write(kylin::testing::as_bytes(data));
        writer.finish();
        const File file = File::parse(kylin::testing::as_bytes(written));

        RC_ASSERT(file.metadata().size() == metadata.size());
        for (size_t i = 0; i < metadata.size(); ++i) {
            RC_ASSERT(file.metadata()[i].key == metadata[i].key);
            RC_ASSERT(file.metadata()[i].value == metadata[i].value);
        }
        RC_ASSERT(file.tensors().size() == tensors.size());
        for (size_t i = 0; i < tensors.size(); ++i) {
            RC_ASSERT(file.tensors()[i].ne == tensors[i].ne);
            RC_ASSERT(file.tensors()[i].type == tensors[i].type);
            RC_ASSERT(text_of(file.tensors()[i].data) == std::string(tensors[i].bytes(), static_cast<char>('a' + i)));
        }
    }));
}

}  // namespace
}  // namespace kylin::gguf
