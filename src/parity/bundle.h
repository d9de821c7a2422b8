// A repro of one fault that fits in a mail: a model of one layer whose embedding is that layer's input, the layer's stages as the engine
// had them, and what the stage should be. `kylin diagnose --bundle DIR` finds the same in it.
#pragma once
#include <filesystem>
#include <string>

#include "gguf/file.h"
#include "parity/diagnose.h"

namespace kylin::parity {

struct BundleFiles {
    std::filesystem::path folder;
    std::filesystem::path model() const { return folder / "model.gguf"; }
    std::filesystem::path trace() const { return folder / "trace.safetensors"; }
    std::filesystem::path right() const { return folder / "right.safetensors"; }
    std::filesystem::path diagnosis() const { return folder / "diagnosis.json"; }
    std::filesystem::path script() const { return folder / "reproduce"; }
};

// Of the place where `fault` was seen first. The folder is made; files in it are replaced. Throws InputError when the trace lacks the
// layer's input. The files of diagnosis() and script() are not written here.
void write_bundle(const gguf::File& model, const DiagnoseInput& input, const Fault& fault, const BundleFiles& files);

}  // namespace kylin::parity
