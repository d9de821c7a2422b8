// llama.cpp's qwen2 vocabulary, which reference/install fetches.
#pragma once
#include <filesystem>
#include <gtest/gtest.h>
#include <string>

inline const std::string qwen2_vocabulary = KYLIN_SOURCE_DIR "/reference/llamacpp/include/models/ggml-vocab-qwen2.gguf";

#define SKIP_WITHOUT_QWEN2_VOCABULARY() \
    if (!std::filesystem::exists(qwen2_vocabulary)) GTEST_SKIP() << "no " << qwen2_vocabulary << ": run reference/install"
