// codec: ggml's reference quantizers and dequantizers as filters, for tests that compare block formats bit for bit.
#include <cstdio>
#include <ggml.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

#include "commands.h"

namespace kylin::reference {
namespace {

struct CodecOptions {
    std::string type;
    int64_t n_per_row = 0;
};

std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    return text;
}

ggml_type find_type(const std::string& name) {
    for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
        const ggml_type type = static_cast<ggml_type>(i);
        if (ggml_blck_size(type) > 0 && lower(ggml_type_name(type)) == lower(name)) return type;
    }
    throw std::runtime_error(name + " is not a tensor type of ggml");
}

std::vector<std::byte> read_input() {
    std::vector<std::byte> bytes;
    std::vector<std::byte> part(1 << 20);
    while (const size_t n = fread(part.data(), 1, part.size(), stdin))
        bytes.insert(bytes.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(n));
    if (ferror(stdin)) throw std::runtime_error("standard input cannot be read");
    return bytes;
}

void write_output(const void* bytes, size_t n) {
    if (fwrite(bytes, 1, n, stdout) != n || fflush(stdout) != 0) throw std::runtime_error("standard output cannot be written");
}

void quantize(const CodecOptions& options) {
    const ggml_type type = find_type(options.type);
    const ggml_from_float_t encode = ggml_get_type_traits(type)->from_float_ref;
    const std::vector<std::byte> input = read_input();
    const size_t row_bytes = static_cast<size_t>(options.n_per_row) * sizeof(float);
    if (options.n_per_row % ggml_blck_size(type) != 0)
        throw std::runtime_error("rows of " + options.type + " are a multiple of " + std::to_string(ggml_blck_size(type)) + " values");
    if (input.size() % row_bytes != 0) throw std::runtime_error("the input is not a whole number of rows");
    if (type == GGML_TYPE_F32) return write_output(input.data(), input.size());
    if (!encode) throw std::runtime_error("ggml has no reference quantizer for " + options.type);

    const size_t n_rows = input.size() / row_bytes, encoded = ggml_row_size(type, options.n_per_row);
    std::vector<std::byte> output(n_rows * encoded);
    std::vector<float> row(static_cast<size_t>(options.n_per_row));
    for (size_t r = 0; r < n_rows; ++r) {
        std::copy_n(input.begin() + static_cast<ptrdiff_t>(r * row_bytes), row_bytes, reinterpret_cast<std::byte*>(row.data()));
        encode(row.data(), output.data() + r * encoded, options.n_per_row);
    }
    write_output(output.data(), output.size());
}

void dequantize(const CodecOptions& options) {
    const ggml_type type = find_type(options.type);
    const ggml_to_float_t decode = ggml_get_type_traits(type)->to_float;
    const std::vector<std::byte> input = read_input();
    if (input.size() % ggml_type_size(type) != 0)
        throw std::runtime_error("the input is not a whole number of " + options.type + " blocks");
    if (type == GGML_TYPE_F32) return write_output(input.data(), input.size());
    if (!decode) throw std::runtime_error("ggml has no dequantizer for " + options.type);
    std::vector<float> output(input.size() / ggml_type_size(type) * static_cast<size_t>(ggml_blck_size(type)));
    decode(input.data(), output.data(), static_cast<int64_t>(output.size()));
    write_output(output.data(), output.size() * sizeof(float));
}

// ggml's tables (half to float) are made with its first context.
void start_ggml() { ggml_free(ggml_init({.mem_size = 1024, .mem_buffer = nullptr, .no_alloc = true})); }

}  // namespace

void add_codec(CLI::App& program) {
    const auto options = std::make_shared<CodecOptions>();
    CLI::App* command = program.add_subcommand("codec", "ggml's reference codecs as filters from standard input to standard output");
    command->require_subcommand(1);
    CLI::App* encode = command->add_subcommand("quantize", "F32 values to blocks");
    encode->add_option("type", options->type, "Tensor type, for example q4_k")->required();
    encode->add_option("n_per_row", options->n_per_row, "Values of a row")->required()->check(CLI::PositiveNumber);
    encode->callback([options] { start_ggml(), quantize(*options); });
    CLI::App* decode = command->add_subcommand("dequantize", "Blocks to F32 values");
    decode->add_option("type", options->type, "Tensor type, for example q4_k")->required();
    decode->callback([options] { start_ggml(), dequantize(*options); });
}

}  // namespace kylin::reference
