// Strings one behind the other, in two allocations: a vocabulary has hundreds of thousands of short ones.
#pragma once
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace kylin {

class StringList {
public:
    using value_type = std::string_view;

    StringList() = default;
    StringList(const std::vector<std::string>& strings) {  // implicit: the same strings, held otherwise
        size_t n_bytes = 0;
        for (const std::string& s : strings) n_bytes += s.size();
        reserve(strings.size(), n_bytes);
        for (const std::string& s : strings) push_back(s);
    }

    void reserve(size_t n_strings, size_t n_bytes) {
        ends_.reserve(n_strings);
        bytes_.reserve(n_bytes);
    }
    void push_back(std::string_view s) {
        bytes_ += s;
        ends_.push_back(bytes_.size());
    }

    size_t size() const { return ends_.size(); }
    bool empty() const { return ends_.empty(); }
    size_t n_bytes() const { return bytes_.size(); }  // of all strings together
    // Valid until the list changes.
    std::string_view operator[](size_t i) const {
        const size_t begin = i == 0 ? 0 : ends_[i - 1];
        return {bytes_.data() + begin, ends_[i] - begin};
    }

    class const_iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = std::string_view;

        const_iterator(const StringList& list, size_t i) : list_(&list), i_(i) {}
        std::string_view operator*() const { return (*list_)[i_]; }
        const_iterator& operator++() {
            ++i_;
            return *this;
        }
        bool operator==(const const_iterator&) const = default;

    private:
        const StringList* list_;
        size_t i_;
    };
    const_iterator begin() const { return {*this, 0}; }
    const_iterator end() const { return {*this, size()}; }

    bool operator==(const StringList&) const = default;

private:
    std::string bytes_;
    std::vector<size_t> ends_;
};

}  // namespace kylin
