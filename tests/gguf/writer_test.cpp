// What the writer writes, the parser reads back: by hand for the layout, by random files for everything.
#include "gguf/writer.h"

#include <gtest/gtest.h>
#include <stdexcept>
#include <utility>

#include "base/random.h"
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
T any(Random& random) {
    if constexpr (std::is_same_v<T, std::string>) {
        std::string text(random.below(20), ' ');
        for (char& c : text) c = static_cast<char>(random.next());
        return text;
    } else if constexpr (std::is_floating_point_v<T>) {
        return static_cast<T>(random.uniform() - 0.5);
    } else {
        return static_cast<T>(random.next());
    }
}

// A value of the alternative with that index, or an array of such values.
template <size_t index>
Value any_of_type(Random& random, bool array) {
    using Elements = std::variant_alternative_t<index, Array>;
    using Element = std::conditional_t<std::is_same_v<Elements, StringList>, std::string, typename Elements::value_type>;
    if (!array) return any<Element>(random);
    Elements values;
    for (uint64_t n = random.below(10); n > 0; --n) values.push_back(any<Element>(random));
    return Array(std::move(values));
}

template <size_t... indices>
Value any_value(Random& random, std::index_sequence<indices...>) {
    constexpr Value (*makers[])(Random&, bool) = {any_of_type<indices>...};
    const bool array = random.below(2) == 1;
    return makers[random.below(sizeof...(indices))](random, array);
}

std::vector<TensorInfo> any_tensors(Random& random) {
    std::vector<TensorInfo> tensors;
    for (uint64_t n = random.below(6); n > 0; --n) {
        const BlockTypeInfo type = block_type_table[random.below(block_type_table.size())];
        tensors.push_back({"tensor." + std::to_string(n),
                           type.type,
                           {type.values * (1 + random.below(4)), 1 + random.below(4), 1 + random.below(2), 1},
                           3});
    }
    return tensors;
}

TEST(Writer, AnyFileComesBack) {
    for (uint64_t seed = 0; seed < 300; ++seed) {
        Random random(seed);
        std::vector<Entry> metadata;
        for (uint64_t n = random.below(9); n > 0; --n)
            metadata.push_back({"key." + std::to_string(n), any_value(random, std::make_index_sequence<std::variant_size_v<Array>>())});
        const auto tensors = any_tensors(random);
        std::string data, written;
        for (size_t i = 0; i < tensors.size(); ++i) data += std::string(tensors[i].bytes(), static_cast<char>('a' + i));
        Writer writer([&](auto bytes) { written += text_of(bytes); }, metadata, tensors);
        writer.write(kylin::testing::as_bytes(data));
        writer.finish();

        const File file = File::parse(kylin::testing::as_bytes(written));
        ASSERT_EQ(file.metadata().size(), metadata.size());
        for (size_t i = 0; i < metadata.size(); ++i) {
            ASSERT_EQ(file.metadata()[i].key, metadata[i].key);
            ASSERT_TRUE(file.metadata()[i].value == metadata[i].value) << "seed " << seed << ", " << metadata[i].key;
        }
        ASSERT_EQ(file.tensors().size(), tensors.size());
        for (size_t i = 0; i < tensors.size(); ++i) {
            ASSERT_EQ(file.tensors()[i].ne, tensors[i].ne);
            ASSERT_EQ(file.tensors()[i].type, tensors[i].type);
            ASSERT_EQ(text_of(file.tensors()[i].data), std::string(tensors[i].bytes(), static_cast<char>('a' + i)));
        }
    }
}

}  // namespace
}  // namespace kylin::gguf
