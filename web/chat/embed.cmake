# Writes a C++ file that holds the built pages as bytes: cmake -D SOURCE=web/chat -D OUTPUT=web_files.cpp -P embed.cmake
# What it defines is declared in src/server/web_files.h.
cmake_minimum_required(VERSION 3.25)

set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_css "text/css; charset=utf-8")

file(READ ${SOURCE}/content-security-policy policy)
string(STRIP "${policy}" policy)
file(GLOB_RECURSE files RELATIVE ${SOURCE}/dist ${SOURCE}/dist/*)
list(SORT files)
set(table "")
foreach(name IN LISTS files)
    file(READ ${SOURCE}/dist/${name} bytes HEX)
    file(SHA256 ${SOURCE}/dist/${name} hash)
    string(SUBSTRING ${hash} 0 16 hash)
    file(SIZE ${SOURCE}/dist/${name} size)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${bytes}")
    string(REGEX REPLACE "^.*\\." "" ending ${name})
    string(APPEND table "    {\"/${name}\", \"${type_${ending}}\", \"\\\"${hash}\\\"\", {\"${bytes}\", ${size}}},\n")
endforeach()

file(WRITE ${OUTPUT}.new "// Written by web/chat/embed.cmake.
#include \"server/web_files.h\"

namespace kylin::server {

const std::string_view web_policy = \"${policy}\";

std::span<const WebFile> web_files() {
    static constexpr WebFile files[] = {
${table}    };
    return files;
}

}  // namespace kylin::server
")
file(RENAME ${OUTPUT}.new ${OUTPUT})
