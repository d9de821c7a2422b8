// What a page keeps in the browser. Where the browser refuses, it is kept until the page closes.
class Memory extends Map {
    get length() { return this.size; }
    key = (i) => [...this.keys()][i];
    getItem = (key) => this.get(key) ?? null;
    setItem = (key, text) => this.set(key, text);
    removeItem = (key) => this.delete(key);
}

// 'localStorage' or 'sessionStorage'.
export function storage(name) {
    try {
        window[name].getItem('');
        return window[name];
    } catch {
        return new Memory();
    }
}

// One value under a key.
export const kept = (storage, key) => ({
    get: () => storage.getItem(key),
    set: (text) => {
        try {
            storage.setItem(key, text);
        } catch {
            // Full: this value is not worth a message.
        }
    },
});
