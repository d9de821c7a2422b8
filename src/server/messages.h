// The messages of a chat call, checked, as a chat template reads them.
#pragma once
#include "server/request_schema.h"
#include "text/chat_template.h"

namespace kylin::server {

// `knows_tools`: the template writes tools and calls itself. For one that does not they become words of the messages, in the form that
// Qwen3's template gives them. Throws InputError naming the message at fault.
Conversation read_conversation(const Call& call, bool knows_tools);

}  // namespace kylin::server
