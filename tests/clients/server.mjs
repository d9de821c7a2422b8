// A server to ask, for as long as a test file runs: the program of argv, on a free port. argv: KYLIN ECHOING_SERVER
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after } from 'node:test';
import { createInterface } from 'node:readline';

const [kylin, echoing_server] = process.argv.slice(2);

async function start(program, args) {
    const server = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    after(async () => {
        server.kill('SIGTERM');
        const [code] = await once(server, 'exit');
        assert.equal(code, 0);
    });
    for await (const line of createInterface({ input: server.stderr })) {
        const origin = line.match(/listens on (http:\S+)/)?.[1];
        if (!origin) continue;
        server.stderr.resume();
        return origin;
    }
    assert.fail('the server says where it listens');
}

// With the demo model.
export const start_kylin = () => start(kylin, ['serve', '--port', '0', '-t', '2']);
// Answers with the last message of the user, or the last result of a tool.
export const start_echo = () => start(echoing_server, []);

// As Qwen3 writes it, white space included: a grammar allows no other.
export const call_text = (name, args) => `<tool_call>\n{"name": "${name}", "arguments": ${JSON.stringify(args)}}\n</tool_call>`;
