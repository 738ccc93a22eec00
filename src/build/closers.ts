/** What is closed at the end, the last first. */
export interface Closers extends AsyncDisposable {
  add(close: () => unknown): void
}

export function closers(): Closers {
  const all: (() => unknown)[] = []
  return {
    add: (close) => void all.push(close),
    async [Symbol.asyncDispose]() {
      for (let close = all.pop(); close !== undefined; close = all.pop()) await close()
    },
  }
}
