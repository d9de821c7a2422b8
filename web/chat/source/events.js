// Server-sent events: the data of each event in a stream of bytes.
export async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    let data = [];
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return;  // what no blank line ended is no event
            // A carriage return at the end may be half of a line end.
            const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
            rest = lines.pop();
            for (const line of lines) {
                if (line === '' && data.length > 0) {
                    yield data.join('\n');
                    data = [];
                } else if (line.startsWith('data:')) {
                    data.push(line.slice(line[5] === ' ' ? 6 : 5));
                }
            }
        }
    } finally {
        reader.cancel().catch(() => {});
    }
}
