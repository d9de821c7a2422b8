// A vocabulary of as many tokens as the tiny model has: every byte, then special tokens like <300>.
#pragma once
#include "support/tiny_model.h"
#include "text/vocabulary_file.h"

namespace kylin {

struct Words {
    VocabularyFile source;
    gguf::File file;
    Words() : source({}, specials()), file(source.open()) {}
    static std::vector<std::pair<std::string, int32_t>> specials() {
        std::vector<std::pair<std::string, int32_t>> all;
        for (int i = 256; i < TinyModel::n_vocab; ++i) all.emplace_back("<" + std::to_string(i) + ">", 4);
        return all;
    }
};

}  // namespace kylin
