// encode_lines VOCAB.gguf < texts > ids: reads one JSON string per line, writes one JSON array of token ids per line.
// The oracles drive it. --no-nfc leaves texts uncomposed; --special parses special tokens; --assigned prints the ranges of
// code points that this build's Unicode tables know and stops.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "gguf/file.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace {

using namespace kylin;

nlohmann::json assigned_ranges() {
    auto ranges = nlohmann::json::array();
    constexpr char32_t end = 0x110000;
    for (char32_t c = 0; c < end; ++c) {
        if (!is_assigned(c)) continue;
        const char32_t begin = c;
        while (c < end && is_assigned(c)) ++c;
        ranges.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(c)});
    }
    return ranges;
}

int run(int argc, char** argv) {
    auto normalization = Normalization::nfc;
    auto special = Special::text;
    std::string path;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--assigned") {
            std::cout << assigned_ranges() << '\n';
            return 0;
        }
        if (argument == "--no-nfc")
            normalization = Normalization::none;
        else if (argument == "--special")
            special = Special::parse;
        else
            path = argument;
    }
    const Tokenizer tokenizer = Tokenizer::load(gguf::File::open(path), normalization);
    for (std::string line; std::getline(std::cin, line);) {
        const auto text = nlohmann::json::parse(line).get<std::string>();
        std::cout << nlohmann::json(tokenizer.encode(text, special)) << '\n';
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& e) {
        std::cerr << "error: " << e.what() << '\n';
        return 1;
    }
}
