// The one exception of Kylin: something that came from outside (a file, a request, an option) cannot be used.
// Caught in main and at the request boundary only.
#pragma once
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace kylin {

class InputError : public std::runtime_error {
public:
    // what() reads "<where>: <what>" or "<where>: <what> at offset N".
    InputError(std::string where, const std::string& what, std::optional<uint64_t> offset = std::nullopt)
        : std::runtime_error(where + ": " + what + (offset ? " at offset " + std::to_string(*offset) : std::string())),
          where_(std::move(where)) {}
    const std::string& where() const { return where_; }

private:
    std::string where_;
};

}  // namespace kylin
